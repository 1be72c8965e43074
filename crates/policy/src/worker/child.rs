//! The worker's side.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read, StdoutLock, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::confine;
use super::protocol::{Case, Line, Request, START, Task};
use crate::group::{Group, GroupSource, Policy, Watch};
use crate::input::Input;
use crate::suite;
use crate::verdict::Verdict;
use crate::worker::{Checkup, Judged};

/// Longest first line, in bytes: all sources, tests and data of a group.
const MAX_REQUEST: u64 = 512 * 1024 * 1024;

/// Does what stdin asks for and says it on stdout; the whole life of a worker.
///
/// Call it before anything else: the process limits itself for good.
#[must_use]
pub fn serve() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "policy worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    confine::follow_parent();
    let mut line = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_REQUEST)
        .read_until(b'\n', &mut line)?;
    let request: Request = serde_json::from_slice(&line)?;
    drop(line);
    confine::confine(&request.limits, request.input)?;
    confine::allow_cpu(&request.limits);
    answer(request)
}

/// Does the task, and says it on stdout.
fn answer(request: Request) -> io::Result<()> {
    let stack = usize::try_from(request.limits.stack).unwrap_or(usize::MAX);
    // A deep stack of its own, so that what recurses reasonably comes to an end.
    let evaluation = std::thread::Builder::new()
        .name("policies".to_owned())
        .stack_size(stack)
        .spawn(move || {
            let mut reporter = Reporter {
                request: &request,
                out: io::stdout().lock(),
                broken_pipe: None,
            };
            reporter.task(&mut io::stdin().lock())
        })?;
    evaluation
        .join()
        .map_err(|_| io::Error::other("the evaluation panicked"))?
}

/// The next `length` bytes of input.
fn read_text(input: &mut impl Read, length: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length);
    input.take(length as u64).read_to_string(&mut text)?;
    Ok(text)
}

struct Reporter<'a> {
    request: &'a Request,
    out: StdoutLock<'static>,
    /// Kept until the next result is due: [`Watch::begin`] can't say it.
    broken_pipe: Option<io::Error>,
}

impl Watch for Reporter<'_> {
    fn begin(&mut self, item: &str) -> Result<(), String> {
        if let Some(reason) = self.request.deadly.get(item) {
            return Err(reason.clone());
        }
        confine::allow_cpu(&self.request.limits);
        if let Err(error) = self.say(&Line::Begin(item.to_owned())) {
            self.broken_pipe = Some(error);
        }
        Ok(())
    }
}

impl Reporter<'_> {
    fn say(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    fn result(&mut self, item: &str, value: &impl Serialize) -> io::Result<()> {
        if let Some(error) = self.broken_pipe.take() {
            return Err(error);
        }
        let value = serde_json::to_value(value)?;
        self.say(&Line::Result {
            item: item.to_owned(),
            value,
        })
    }

    fn task(&mut self, input: &mut impl Read) -> io::Result<()> {
        let request = self.request;
        match &request.task {
            Task::Check { source } => self.check(source)?,
            Task::Evaluate { source, only } => {
                let text = read_text(input, request.input)?;
                self.evaluate(source, only.as_ref(), &text)?;
            }
            Task::Judge { source, cases } => self.judge(source, cases, input)?,
            Task::Test { units, dialect } => {
                for unit in units {
                    let limit = request.limits.evaluation;
                    let item = format!("unit {}", unit.name);
                    if request.done.contains(&item) {
                        continue;
                    }
                    let report = suite::run_watched(unit, *dialect, request.around, limit, self);
                    self.result(&item, &report)?;
                }
            }
        }
        self.say(&Line::End)
    }

    fn check(&mut self, source: &GroupSource) -> io::Result<()> {
        let checkup = Group::compile_watched(source, self).map(|group| Checkup::of(&group));
        self.result(START, &checkup)
    }

    fn evaluate(
        &mut self,
        source: &GroupSource,
        only: Option<&BTreeSet<String>>,
        input: &str,
    ) -> io::Result<()> {
        let request = self.request;
        if let Err(reason) = self.begin(START) {
            return self.result(START, &Err::<(), String>(reason));
        }
        let compiled = Group::compile_watched(source, self);
        let asked = |policy: &&Policy| {
            policy.enabled && only.is_none_or(|only| only.contains(&policy.name))
        };
        let parsed = match &compiled {
            Ok(group) => Input::parse_for(input, group.policies.iter().filter(asked)),
            Err(_) => Input::parse(input),
        };
        let input = match parsed {
            Ok(input) => input,
            Err(error) => return self.result(START, &Err::<(), String>(error.to_string())),
        };
        let group = match compiled {
            Ok(group) => group,
            Err(problem) => return self.result(START, &Err::<(), String>(problem.to_string())),
        };
        let names: Vec<&str> = group.policies.iter().map(|it| it.name.as_str()).collect();
        if !request.done.contains(START) {
            self.result(START, &Ok::<_, String>(&group.problems))?;
        }
        for (policy, name) in group.policies.iter().zip(names) {
            let item = format!("evaluation {name}");
            if !asked(&policy) || request.done.contains(&item) {
                continue;
            }
            let verdict = match self.begin(&item) {
                Ok(()) => policy.evaluate(&input, request.around, request.limits.evaluation),
                Err(reason) => Verdict::errored(name, policy.enforcement, reason),
            };
            self.result(&item, &verdict)?;
        }
        Ok(())
    }

    /// Compiles once, and asks on one input after the other; only one of them is held at a time.
    fn judge(
        &mut self,
        source: &GroupSource,
        cases: &[Case],
        input: &mut impl Read,
    ) -> io::Result<()> {
        if let Err(reason) = self.begin(START) {
            return self.result(START, &Err::<(), String>(reason));
        }
        let wanted = cases.iter().flat_map(|case| &case.policies);
        let wanted: BTreeSet<String> = wanted.cloned().collect();
        let group = match Group::compile_some(source, Some(&wanted), self) {
            Ok(group) => group,
            Err(problem) => return self.result(START, &Err::<(), String>(problem.to_string())),
        };
        if !self.request.done.contains(START) {
            self.result(START, &Ok::<_, String>(&group.problems))?;
        }
        for case in cases {
            let text = read_text(input, case.input)?;
            self.judge_case(&group, case, &text)?;
        }
        Ok(())
    }

    fn judge_case(&mut self, group: &Group, case: &Case, text: &str) -> io::Result<()> {
        let request = self.request;
        let open: Vec<(&Policy, String)> = group
            .policies
            .iter()
            .filter(|policy| case.policies.contains(&policy.name))
            .map(|policy| (policy, format!("case {} {}", case.name, policy.name)))
            .filter(|(_, item)| !request.done.contains(item))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let parsed = match self.begin(&format!("case {}", case.name)) {
            Ok(()) => Input::parse_for(text, open.iter().map(|(policy, _)| *policy))
                .map_err(|error| (error.to_string(), false)),
            Err(reason) => Err((reason, true)),
        };
        for (policy, item) in open {
            let answer = match (&parsed, self.begin(&item)) {
                (Ok(input), Ok(())) => policy.timed(input, case.around, request.limits.evaluation),
                (Ok(_), Err(reason)) => (
                    Verdict::errored(&policy.name, policy.enforcement, reason),
                    true,
                ),
                (Err((reason, limited)), _) => (
                    Verdict::errored(&policy.name, policy.enforcement, reason),
                    *limited,
                ),
            };
            let (verdict, limited) = answer;
            let judged = Judged {
                case: case.name.clone(),
                verdict,
                limited,
            };
            self.result(&item, &judged)?;
        }
        Ok(())
    }
}
