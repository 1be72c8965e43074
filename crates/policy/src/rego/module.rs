//! A parsed source file.

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::{Engine, PolicyLengthConfig};

use super::dialect::Dialect;
use super::facts::Facts;
use super::fault;
use super::source::{self, SourceFile};
use crate::Problem;

/// A file that parsed, with the dialect it parsed in.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    pub(crate) file: SourceFile,
    pub(crate) v0: bool,
    pub(crate) facts: Facts,
}

/// Parses a file in the given dialect.
pub(crate) fn parse(file: &SourceFile, dialect: Dialect) -> Result<Module, Problem> {
    source::admit(file)?;
    let mut problems = Vec::new();
    for &v0 in dialect.tries() {
        match read(file, v0) {
            Ok(facts) => {
                return Ok(Module {
                    file: file.clone(),
                    v0,
                    facts,
                });
            }
            Err(problem) => problems.push(problem),
        }
    }
    Err(best(problems))
}

/// Of the dialects that failed, the one that came further is what the author meant.
fn best(problems: Vec<Problem>) -> Problem {
    let mut best: Option<Problem> = None;
    for problem in problems {
        let further = best
            .as_ref()
            .is_none_or(|other| (problem.line, problem.column) > (other.line, other.column));
        if further {
            best = Some(problem);
        }
    }
    best.unwrap_or_else(|| Problem::of_file("", "no dialect was tried", ""))
}

fn read(file: &SourceFile, v0: bool) -> Result<Facts, Problem> {
    let mut engine = empty_engine();
    engine.set_rego_v0(v0);
    engine
        .add_policy(file.path.clone(), file.text.clone())
        .map_err(|error| fault::problem(&file.path, &error))?;
    let module = engine
        .get_modules()
        .first()
        .ok_or_else(|| Problem::of_file(&file.path, "the file holds no package", ""))?;
    Ok(Facts::of(module))
}

/// An engine that reads what [`source::admit`] lets in.
pub(crate) fn empty_engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: NonZeroU32::new(source::MAX_COLUMNS).unwrap_or(NonZeroU32::MAX),
        max_file_bytes: NonZeroUsize::new(source::MAX_SOURCE_BYTES * 2)
            .unwrap_or(NonZeroUsize::MAX),
        max_lines: NonZeroUsize::new(source::MAX_LINES).unwrap_or(NonZeroUsize::MAX),
    });
    engine
}
