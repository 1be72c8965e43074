//! The side that asks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cases::{Judged, Question};
use super::protocol::{Case, Line, Request, START, Task};
use super::{ARGUMENT, Limits};
use crate::Problem;
use crate::builtins::Circumstances;
use crate::group::{Group, GroupSource};
use crate::manifest::{Enforcement, GroupKind};
use crate::rego::dialect::Dialect;
use crate::suite::{TestUnit, UnitReport};
use crate::verdict::Verdict;

/// Longest line of an answer, in bytes; a longer one is a worker gone mad.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// What is kept of a worker's stderr, in bytes.
const MAX_STDERR: u64 = 64 * 1024;
/// How many deaths are borne before the group as a whole is given up.
const MAX_DEATHS: usize = 100;

/// Starts workers.
///
/// Every call blocks until the answer is there, at most [`Limits::wall`] for each item: in
/// asynchronous code, call it where blocking is allowed, and bound how many run at once.
#[derive(Debug, Clone)]
pub struct Worker {
    program: PathBuf,
    arguments: Vec<OsString>,
    limits: Limits,
}

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("the policy worker can't be started")]
    Start(#[source] io::Error),
    #[error("the policy worker's answer can't be read")]
    Answer(#[source] serde_json::Error),
    #[error("the policies can't be evaluated: {0}")]
    Refused(String),
    #[error("the policy worker died too often; last: {0}")]
    Deaths(String),
}

/// What compiling a group found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    pub kind: GroupKind,
    pub policies: Vec<Checked>,
    /// What is wrong with the group rather than with one policy.
    pub problems: Vec<Problem>,
}

/// One policy of a [`Checkup`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub name: String,
    pub enabled: bool,
    pub enforcement_level: Enforcement,
    pub description: String,
    pub query: String,
    /// See [`crate::Policy::digest`].
    pub digest: String,
    /// The files that its verdict depends on.
    pub files: Vec<String>,
    pub problems: Vec<Problem>,
}

impl Checkup {
    pub(super) fn of(group: &Group) -> Self {
        let policies = group.policies.iter().map(|policy| Checked {
            name: policy.name.clone(),
            enabled: policy.enabled,
            enforcement_level: policy.enforcement,
            description: policy.description.clone(),
            query: policy.query.clone(),
            digest: policy.digest.clone(),
            files: policy.files().into_iter().map(str::to_owned).collect(),
            problems: policy.problems.clone(),
        });
        Self {
            kind: group.kind,
            policies: policies.collect(),
            problems: group.problems.clone(),
        }
    }
}

/// The verdicts of a group on one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Of every enabled policy, in the manifest's order.
    pub verdicts: Vec<Verdict>,
    /// What is wrong with the group rather than with one policy.
    pub problems: Vec<Problem>,
}

impl Worker {
    /// Workers are `program policy-worker`; usually the program that is running already.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            arguments: vec![ARGUMENT.into()],
            limits: Limits::default(),
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compiles a group: what a sync does.
    ///
    /// # Errors
    /// When no worker can be had. A group without a manifest is `Ok(Err(problem))`.
    pub fn check(&self, source: GroupSource) -> Result<Result<Checkup, Problem>, WorkerError> {
        let mut results = self.run(Task::Check { source }, &[], Circumstances::default())?;
        decode(results.remove(START))
    }

    /// Evaluates every enabled policy of a group on one input (JSON).
    ///
    /// # Errors
    /// When no worker can be had, the input is no JSON object, or the group has no manifest. One
    /// policy's failure is its verdict.
    pub fn evaluate(
        &self,
        source: GroupSource,
        input: &[u8],
        around: Circumstances,
    ) -> Result<Evaluated, WorkerError> {
        self.evaluate_task(source, None, input, around)
    }

    /// The same for the named policies alone: those whose verdict isn't known by its digest yet.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_only(
        &self,
        source: GroupSource,
        policies: BTreeSet<String>,
        input: &[u8],
        around: Circumstances,
    ) -> Result<Evaluated, WorkerError> {
        self.evaluate_task(source, Some(policies), input, around)
    }

    fn evaluate_task(
        &self,
        source: GroupSource,
        only: Option<BTreeSet<String>>,
        input: &[u8],
        around: Circumstances,
    ) -> Result<Evaluated, WorkerError> {
        let mut results = self.run(Task::Evaluate { source, only }, &[input], around)?;
        let group: Result<Vec<Problem>, String> = decode(results.remove(START))?;
        let problems = group.map_err(WorkerError::Refused)?;
        let mut verdicts = Vec::new();
        for (_, value) in results.into_ordered() {
            verdicts.push(decode(Some(value))?);
        }
        Ok(Evaluated { verdicts, problems })
    }

    /// Runs tests.
    ///
    /// # Errors
    /// When no worker can be had. A test that fails, or brings its worker down, is in the reports.
    pub fn test(
        &self,
        units: Vec<TestUnit>,
        dialect: Dialect,
        around: Circumstances,
    ) -> Result<Vec<UnitReport>, WorkerError> {
        let results = self.run(Task::Test { units, dialect }, &[], around)?;
        results
            .into_ordered()
            .map(|(_, value)| decode(Some(value)))
            .collect()
    }

    /// Asks policies of a group about several inputs, one after the other in the same worker as
    /// long as it lives: starting and compiling is paid once. All inputs must be of one account,
    /// and asked about for one caller, because a policy could keep in the process what it saw.
    ///
    /// A policy that isn't in the group has no answer. What brought a worker down is asked once
    /// more in a fresh one before it is blamed.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn judge(
        &self,
        source: GroupSource,
        questions: &[Question],
    ) -> Result<Vec<Judged>, WorkerError> {
        let cases = questions.iter().map(|question| Case {
            name: question.name.clone(),
            policies: question.policies.clone(),
            around: question.around,
            input: question.input.len(),
        });
        let task = Task::Judge {
            source,
            cases: cases.collect(),
        };
        let inputs: Vec<&[u8]> = questions.iter().map(|it| it.input.as_slice()).collect();
        let mut results = self.run(task, &inputs, Circumstances::default())?;
        let group: Result<Vec<Problem>, String> = decode(results.remove(START))?;
        group.map_err(WorkerError::Refused)?;
        results
            .into_ordered()
            .map(|(_, value)| decode(Some(value)))
            .collect()
    }

    /// Workers, one after the other, until one comes to its end.
    fn run(
        &self,
        task: Task,
        inputs: &[&[u8]],
        around: Circumstances,
    ) -> Result<Results, WorkerError> {
        let mut results = Results::default();
        let many = matches!(task, Task::Judge { .. });
        let mut request = Request {
            task,
            around,
            limits: self.limits,
            input: inputs.iter().map(|it| it.len()).max().unwrap_or(0),
            deadly: BTreeMap::new(),
            done: BTreeSet::new(),
        };
        let mut deaths = 0;
        loop {
            request.done = results.known.clone();
            let ended = self.once(&request, inputs, &mut results)?;
            let Some((item, reason)) = ended else {
                return Ok(results);
            };
            deaths += 1;
            if deaths > MAX_DEATHS {
                return Err(WorkerError::Deaths(reason));
            }
            let answered = results.known.len() > request.done.len();
            if many && answered && item != START {
                // It may have died of what earlier inputs left behind.
                continue;
            }
            if request.deadly.insert(item, reason.clone()).is_some() {
                return Err(WorkerError::Deaths(reason));
            }
        }
    }

    /// One worker. Gives the item that it died of, and why, when it didn't come to its end.
    fn once(
        &self,
        request: &Request,
        inputs: &[&[u8]],
        results: &mut Results,
    ) -> Result<Option<(String, String)>, WorkerError> {
        let head = serde_json::to_vec(request).map_err(WorkerError::Answer)?;
        let mut child = self.start().map_err(WorkerError::Start)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (lines, received) = mpsc::channel();
        let mut said = Said::default();
        let stderr = std::thread::scope(|scope| {
            scope.spawn(move || {
                // A worker that died early reads no more: its end says so.
                let _ = stdin.map(|mut stdin| {
                    stdin.write_all(&head)?;
                    stdin.write_all(b"\n")?;
                    inputs.iter().try_for_each(|input| stdin.write_all(input))
                });
            });
            scope.spawn(move || {
                let mut reader = BufReader::new(stdout?);
                while let Some(line) = next_line(&mut reader) {
                    lines.send(line).ok()?;
                }
                Some(())
            });
            let errors = scope.spawn(move || {
                let mut text = Vec::new();
                if let Some(mut stderr) = stderr {
                    let _ = (&mut stderr).take(MAX_STDERR).read_to_end(&mut text);
                    let _ = io::copy(&mut stderr, &mut io::sink());
                }
                String::from_utf8_lossy(&text).into_owned()
            });
            said.listen(&received, self.limits, results);
            if !said.ended {
                // Whatever it still does, nobody listens any more.
                let _ = child.kill();
            }
            errors.join().unwrap_or_default()
        });
        let status = child.wait().map_err(WorkerError::Start)?;
        if let Some(error) = said.unreadable {
            return Err(WorkerError::Answer(error));
        }
        if said.ended {
            return Ok(None);
        }
        let reason = said
            .too_slow
            .unwrap_or_else(|| reason(status, &stderr, request));
        Ok(Some((said.item, reason)))
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            // No secret of the environment may come near a policy.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// What a worker has said so far.
#[derive(Default)]
struct Said {
    /// The item it had begun last.
    item: String,
    ended: bool,
    too_slow: Option<String>,
    unreadable: Option<serde_json::Error>,
}

impl Said {
    fn listen(&mut self, lines: &mpsc::Receiver<Vec<u8>>, limits: Limits, results: &mut Results) {
        self.item = START.to_owned();
        loop {
            match lines.recv_timeout(limits.wall) {
                Ok(line) => match serde_json::from_slice(&line) {
                    Ok(Line::Begin(item)) => self.item = item,
                    Ok(Line::Result { item, value }) => results.add(item, value),
                    Ok(Line::End) => {
                        self.ended = true;
                        return;
                    }
                    Err(error) => {
                        self.unreadable = Some(error);
                        return;
                    }
                },
                Err(RecvTimeoutError::Timeout) => {
                    self.too_slow =
                        Some(format!("it was stopped after {} s", limits.wall.as_secs()));
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Results by item, in the order they came.
#[derive(Default)]
struct Results {
    known: BTreeSet<String>,
    values: Vec<(String, Value)>,
}

impl Results {
    fn add(&mut self, item: String, value: Value) {
        if self.known.insert(item.clone()) {
            self.values.push((item, value));
        }
    }

    fn remove(&mut self, item: &str) -> Option<Value> {
        let at = self.values.iter().position(|(known, _)| known == item)?;
        Some(self.values.remove(at).1)
    }

    fn into_ordered(self) -> impl Iterator<Item = (String, Value)> {
        self.values.into_iter()
    }
}

fn decode<T: DeserializeOwned>(value: Option<Value>) -> Result<T, WorkerError> {
    serde_json::from_value(value.unwrap_or(Value::Null)).map_err(WorkerError::Answer)
}

fn next_line(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
    // Half a line is what a dying worker leaves.
    line.ends_with(b"\n").then_some(line)
}

/// Why a worker died, for the author of what it died of.
fn reason(status: ExitStatus, stderr: &str, request: &Request) -> String {
    let limits = request.limits;
    if stderr.contains("has overflowed its stack") {
        return "it calls itself, or rules depend on each other, without end".to_owned();
    }
    if stderr.contains("memory allocation of") || stderr.contains("capacity overflow") {
        let mebibytes = limits.memory_for(request.input) / (1024 * 1024);
        return format!("it needs more than {mebibytes} MiB of memory");
    }
    if signal(status).is_some_and(|it| it == SIGXCPU || it == SIGKILL) {
        return format!(
            "it was stopped after {} s of processor time",
            limits.cpu.as_secs()
        );
    }
    let last = stderr.lines().last().unwrap_or_default();
    format!("its evaluation ended with {status} {last}")
        .trim_end()
        .to_owned()
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}
