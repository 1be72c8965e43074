//! The engine's error texts as [`Problem`]s, with what to do about the common ones.

use crate::Problem;

/// What stands in the engine's message, and what to do about it.
const REMEDIES: &[(&str, &str)] = &[
    (
        "`if` keyword is required",
        "write `if` before the body, or set the dialect to v0",
    ),
    (
        "`contains` keyword is required",
        "write `name contains value if { … }`, or set the dialect to v0",
    ),
    (
        "is unsafe",
        "give the variable a value first, or declare it with `some` and bind it",
    ),
    ("cannot be shadowed", "choose another name"),
    (
        "unexpected keyword",
        "a keyword of v1 can't be a name: rename it, or set the dialect to v0",
    ),
    (
        "expression nesting too deep",
        "name inner parts as rules or functions of their own",
    ),
    ("exceeds maximum", "split the file"),
    (
        "compiled regex exceeded size limit",
        "count less in the expression: {1,1000} stands for a thousand copies",
    ),
    (
        "invalid escape sequence",
        "write the backslash twice, or put the text in backquotes",
    ),
    (
        "must have a body or assignment",
        "give the rule a body, or a value with `:=`",
    ),
    (
        "mismatch in number of arguments",
        "call the function with as many arguments as it declares",
    ),
    (
        "must not produce multiple outputs",
        "make the conditions exclude each other, or use `else`",
    ),
    (
        "multiple outputs",
        "make the conditions exclude each other, or use `else`",
    ),
    (
        "exceeded execution time limit",
        "look at fewer combinations: filter before you join",
    ),
];

/// For whatever no other remedy is known of.
const READ_IT_AGAIN: &str = "check the syntax around this place";

/// The engine's error, located. `file` is used where the text names none.
pub(crate) fn problem(file: &str, error: &anyhow::Error) -> Problem {
    let text = error.to_string();
    let message = message(&text);
    let remedy = REMEDIES
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or(READ_IT_AGAIN, |(_, remedy)| remedy);
    let problem = Problem::of_file(file, message, remedy);
    match place(&text) {
        Some((named, line, column)) => Problem {
            file: named,
            ..problem
        }
        .at(line, column),
        None => problem,
    }
}

/// What follows the last `error: `, in one line.
fn message(text: &str) -> String {
    let tail = text.rsplit_once("error: ").map_or(text, |(_, tail)| tail);
    tail.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `--> FILE:LINE:COLUMN` of the innermost frame.
fn place(text: &str) -> Option<(String, u32, u32)> {
    let (_, tail) = text.rsplit_once("--> ")?;
    let head = tail.lines().next()?;
    let (head, column) = head.rsplit_once(':')?;
    let (file, line) = head.rsplit_once(':')?;
    Some((file.to_owned(), line.parse().ok()?, column.parse().ok()?))
}
