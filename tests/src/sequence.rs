//! The sequence of requests of a command, compared with what the real service is known to receive.
//!
//! A golden file has sections (`### name`) of lines. A line is `METHOD PATH STATUS`, several of
//! them parted by ` | `, with `*`, `+` or `?` behind it for how often; ids are `:run`, `:ws` and so
//! on; `@name = …` at the top defines a line to use as `@name`. How often the CLI polls depends on
//! timing; what it asks for, and in which order, does not.

use std::collections::{BTreeMap, BTreeSet};

use testkit::Recorded;

/// The sections of a golden file.
pub struct Golden {
    sections: BTreeMap<String, Vec<Step>>,
}

#[derive(Debug, Clone)]
struct Step {
    alternatives: Vec<String>,
    /// Fewest and most times.
    times: (usize, usize),
}

impl Golden {
    pub fn parse(text: &str) -> Self {
        let mut definitions = BTreeMap::new();
        let mut sections: BTreeMap<String, Vec<Step>> = BTreeMap::new();
        let mut current = String::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|it| !it.is_empty() && !it.starts_with("//"))
        {
            if let Some(name) = line.strip_prefix("### ") {
                current = name.to_owned();
                sections.insert(current.clone(), Vec::new());
            } else if let Some((name, lines)) =
                line.strip_prefix('@').and_then(|it| it.split_once(" = "))
            {
                definitions.insert(name.to_owned(), lines.to_owned());
            } else {
                let steps = expand(line, &definitions).into_iter().map(|it| step(&it));
                sections.entry(current.clone()).or_default().extend(steps);
            }
        }
        Self { sections }
    }

    /// # Panics
    /// When the requests aren't what section `name` says, showing both.
    #[track_caller]
    pub fn check(&self, name: &str, recorded: &[Recorded]) {
        let steps = self
            .sections
            .get(name)
            .unwrap_or_else(|| panic!("no section {name:?}"));
        let requests: Vec<String> = recorded.iter().map(normalised).collect();
        let mut furthest = 0;
        if !matches(
            steps,
            &requests,
            &mut BTreeSet::new(),
            (0, 0),
            &mut furthest,
        ) {
            let wanted: Vec<_> = steps
                .iter()
                .map(|it| format!("{} {:?}", it.alternatives.join(" | "), it.times))
                .collect();
            panic!(
                "the requests of {name:?} went wrong at number {furthest}.\nwanted:\n  {}\nrequests:\n  {}",
                wanted.join("\n  "),
                requests.join("\n  ")
            );
        }
    }
}

/// A line that is only `@name` stands for the definition's lines, parted by `;`.
fn expand(line: &str, definitions: &BTreeMap<String, String>) -> Vec<String> {
    match line
        .strip_prefix('@')
        .and_then(|name| definitions.get(name))
    {
        Some(lines) => lines
            .split(';')
            .flat_map(|it| expand(it.trim(), definitions))
            .collect(),
        None => vec![line.to_owned()],
    }
}

fn step(line: &str) -> Step {
    let (line, times) = match line.rsplit_once(' ') {
        Some((line, "*")) => (line, (0, usize::MAX)),
        Some((line, "+")) => (line, (1, usize::MAX)),
        Some((line, "?")) => (line, (0, 1)),
        _ => (line, (1, 1)),
    };
    Step {
        alternatives: line.split(" | ").map(str::to_owned).collect(),
        times,
    }
}

/// Backtracks over how often each step is taken; `failed` keeps it from going anywhere twice.
fn matches(
    steps: &[Step],
    requests: &[String],
    failed: &mut BTreeSet<(usize, usize)>,
    (at_step, at_request): (usize, usize),
    furthest: &mut usize,
) -> bool {
    *furthest = (*furthest).max(at_request);
    let Some(step) = steps.get(at_step) else {
        return at_request == requests.len();
    };
    if failed.contains(&(at_step, at_request)) {
        return false;
    }
    let fitting = requests[at_request..]
        .iter()
        .take_while(|request| step.alternatives.contains(request))
        .count()
        .min(step.times.1);
    for taken in (step.times.0..=fitting).rev() {
        if matches(
            steps,
            requests,
            failed,
            (at_step + 1, at_request + taken),
            furthest,
        ) {
            return true;
        }
    }
    failed.insert((at_step, at_request));
    false
}

const IDS: &[&str] = &[
    "ws", "run", "plan", "apply", "cv", "sv", "wsout", "tb", "prj", "var", "user", "re", "ce",
    "polchk", "ts", "poleval",
];

/// `METHOD PATH STATUS` with ids and names taken out.
pub fn normalised(recorded: &Recorded) -> String {
    let path = recorded
        .path
        .replace("%2C", ",")
        .replace("%5B", "[")
        .replace("%5D", "]");
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let (method, status) = (&recorded.method, recorded.status);
    if method == "PUT" {
        let kind = if status < 400 { "ok" } else { "refused" };
        return format!("PUT <upload> {kind}");
    }
    if query.contains("limit=") && query.contains("offset=") {
        return format!("GET <log> {status}");
    }
    let Some(path) = path.strip_prefix("/api/v2/") else {
        let what = if path.starts_with("/.well-known/") {
            "<discovery>"
        } else {
            "<blob>"
        };
        return format!("{method} {what} {status}");
    };
    if path.starts_with("state-versions/") && path.ends_with("/download") {
        return format!("{method} <blob> {status}");
    }
    let mut parts: Vec<String> = path.split('/').map(part).collect();
    if parts.len() > 1 && parts[0] == "organizations" {
        parts[1] = ":org".to_owned();
    }
    if parts.len() > 3 && parts[2] == "workspaces" {
        parts[3] = ":name".to_owned();
    }
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    format!("{method} {}{query} {status}", parts.join("/"))
}

fn part(part: &str) -> String {
    match part.split_once('-') {
        Some((prefix, rest)) if IDS.contains(&prefix) && rest.len() >= 16 => format!(":{prefix}"),
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(line: &str) -> Recorded {
        let mut words = line.split(' ');
        Recorded {
            method: words.next().unwrap().to_owned(),
            path: words.next().unwrap().to_owned(),
            status: words.next().unwrap().parse().unwrap(),
            authorized: true,
            body: None,
        }
    }

    #[test]
    fn ids_and_names_don_t_matter() {
        for (line, expected) in [
            (
                "GET /api/v2/organizations/demo/workspaces/x 404",
                "GET organizations/:org/workspaces/:name 404",
            ),
            (
                "GET /api/v2/runs/run-abcdefghABCDEFGH?include=workspace%2Cplan 200",
                "GET runs/:run?include=workspace,plan 200",
            ),
            ("PUT /signed/x 204", "PUT <upload> ok"),
            ("GET /l/x?limit=65536&offset=0 200", "GET <log> 200"),
            (
                "GET /api/v2/state-versions/sv-abcdefghABCDEFGH/download 200",
                "GET <blob> 200",
            ),
        ] {
            assert_eq!(normalised(&recorded(line)), expected);
        }
    }

    #[test]
    fn polling_may_repeat_and_order_may_not_change() {
        let golden =
            Golden::parse("@poll = GET a 200 | GET b 200 +\n### x\nPOST c 201\n@poll\nGET b 200\n");
        let lines =
            |lines: &[&str]| -> Vec<Recorded> { lines.iter().map(|it| recorded(it)).collect() };
        golden.check(
            "x",
            &lines(&[
                "POST /api/v2/c 201",
                "GET /api/v2/a 200",
                "GET /api/v2/b 200",
                "GET /api/v2/b 200",
            ]),
        );
        let wrong = lines(&[
            "GET /api/v2/a 200",
            "POST /api/v2/c 201",
            "GET /api/v2/b 200",
        ]);
        assert!(std::panic::catch_unwind(|| golden.check("x", &wrong)).is_err());
    }
}
