//! Statements of rule files: one a line; a line that starts with `@`, `|`, `tiers` or `when`, or follows one that
//! ends with `,` or `(`, continues the one before.

use super::RuleError;
use super::ast::{Block, Component, Macro, Statement, Tier};
use super::lexer;
use super::parser::Parser;

/// What stands at the top of a rule file.
pub(super) enum Item {
    Resource(Vec<String>, Block),
    Macro(String, Macro),
}

struct Line {
    number: usize,
    text: String,
}

/// Reads a file.
pub(super) fn items(file: &str, text: &str) -> Result<Vec<Item>, RuleError> {
    let lines = logical_lines(text);
    let fail = |line: usize, reason: String| RuleError {
        file: file.to_owned(),
        line,
        reason,
    };
    let mut at = 0;
    let mut found = Vec::new();
    while let Some(line) = lines.get(at) {
        let number = line.number;
        let mut parser =
            Parser::new(lexer::tokens(&line.text).map_err(|reason| fail(number, reason))?);
        at += 1;
        if parser.word("resource") {
            let mut types = Vec::new();
            while !parser.done() {
                types.push(parser.name().map_err(|reason| fail(number, reason))?);
            }
            let body = block(&lines, &mut at).map_err(|(line, reason)| fail(line, reason))?;
            found.push(Item::Resource(types, body));
        } else if parser.word("macro") {
            let (name, parameters) =
                signature(&mut parser).map_err(|reason| fail(number, reason))?;
            let body = block(&lines, &mut at).map_err(|(line, reason)| fail(line, reason))?;
            found.push(Item::Macro(name, Macro { parameters, body }));
        } else {
            return Err(fail(number, "resource or macro is expected".to_owned()));
        }
    }
    Ok(found)
}

fn signature(parser: &mut Parser) -> Result<(String, Vec<String>), String> {
    let name = parser.name()?;
    parser.expect("(")?;
    let mut parameters = Vec::new();
    while !parser.symbol(")") {
        parameters.push(parser.name()?);
        parser.symbol(",");
    }
    Ok((name, parameters))
}

fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let continues = ["@", "|", "tiers ", "when "]
            .iter()
            .any(|start| trimmed.starts_with(start));
        match lines.last_mut() {
            Some(last) if continues || last.text.ends_with([',', '(']) => {
                last.text.push(' ');
                last.text.push_str(trimmed);
            }
            _ => lines.push(Line {
                number: index + 1,
                text: trimmed.to_owned(),
            }),
        }
    }
    lines
}

type Failed = (usize, String);

/// Statements up to the next `resource`, `macro`, `end`, `else` or the end of the file; none of which is taken.
fn block(lines: &[Line], at: &mut usize) -> Result<Block, Failed> {
    let mut statements = Vec::new();
    while let Some(line) = lines.get(*at) {
        let first = line.text.split([' ', '(']).next().unwrap_or_default();
        if matches!(first, "resource" | "macro" | "end" | "else") {
            break;
        }
        *at += 1;
        let fail = |reason: String| (line.number, reason);
        let tokens = lexer::tokens(&line.text).map_err(fail)?;
        let mut parser = Parser::new(tokens);
        let statement = if parser.word("if") {
            let condition = parser.expression().map_err(fail)?;
            let yes = block(lines, at)?;
            let has_else = lines.get(*at).is_some_and(|next| next.text == "else");
            let no = if has_else {
                *at += 1;
                block(lines, at)?
            } else {
                Vec::new()
            };
            end(lines, at, line.number)?;
            Statement::If(condition, yes, no)
        } else if parser.word("for") {
            let name = parser.name().map_err(fail)?;
            if !parser.word("in") {
                return Err(fail("in is missing".to_owned()));
            }
            let list = parser.expression().map_err(fail)?;
            let body = block(lines, at)?;
            end(lines, at, line.number)?;
            Statement::For(name, list, body)
        } else if parser.word("in") {
            let path = parser.expression().map_err(fail)?;
            let body = block(lines, at)?;
            end(lines, at, line.number)?;
            Statement::Part(path, body)
        } else {
            simple(&mut parser).map_err(fail)?
        };
        if !parser.done() {
            return Err(fail("more on the line than is understood".to_owned()));
        }
        statements.push(statement);
    }
    Ok(statements)
}

fn end(lines: &[Line], at: &mut usize, opened: usize) -> Result<(), Failed> {
    match lines.get(*at) {
        Some(line) if line.text == "end" => {
            *at += 1;
            Ok(())
        }
        _ => Err((opened, "this has no end".to_owned())),
    }
}

fn simple(parser: &mut Parser) -> Result<Statement, String> {
    if parser.word("let") {
        let name = parser.name()?;
        parser.expect("=")?;
        return Ok(Statement::Let(name, parser.expression()?));
    }
    if parser.word("region") {
        return Ok(Statement::Region(parser.expression()?));
    }
    if parser.word("call") {
        let name = parser.name()?;
        parser.expect("(")?;
        return Ok(Statement::Call(name, parser.list(")")?));
    }
    if parser.word("free") {
        return Ok(Statement::Free);
    }
    if parser.word("unknown") {
        return Ok(Statement::Unknown(parser.expression()?));
    }
    if parser.word("missing") {
        return Ok(Statement::Missing(parser.expression()?));
    }
    let by_usage = parser.word("usage");
    if !by_usage && !parser.word("cost") {
        return Err("this is no statement".to_owned());
    }
    component(parser, by_usage)
}

fn component(parser: &mut Parser, by_usage: bool) -> Result<Statement, String> {
    let name = parser.expression()?;
    let unit = parser.plain_text()?;
    parser.expect("=")?;
    let quantity = parser.expression()?;
    let mut tiers = Vec::new();
    if parser.word("tiers") {
        loop {
            let size = if parser.symbol("*") {
                None
            } else {
                let super::ast::Expression::Number(size) = parser.expression()? else {
                    return Err("a tier starts with its size, or *".to_owned());
                };
                Some(size)
            };
            let label = parser.plain_text()?;
            tiers.push(Tier { size, label });
            if !parser.symbol(",") {
                break;
            }
        }
    }
    let price = parser
        .symbol("@")
        .then(|| parser.expression())
        .transpose()?;
    let condition = parser
        .word("when")
        .then(|| parser.expression())
        .transpose()?;
    Ok(Statement::Component(Box::new(Component {
        by_usage,
        name,
        unit,
        quantity,
        tiers,
        price,
        condition,
    })))
}
