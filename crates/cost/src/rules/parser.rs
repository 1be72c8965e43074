//! Expressions of rules, by precedence.

use super::ast::{Binary, Expression, Piece};
use super::lexer::{self, Token};

/// Reads tokens from the front.
pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Binary operators, from the loosest to the tightest.
const LEVELS: [&[(&str, Binary)]; 7] = [
    &[("|", Binary::Else)],
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("==", Binary::Equal),
        ("!=", Binary::Unequal),
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
    ],
    &[("??", Binary::Default)],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide)],
];

impl Parser {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self { tokens, at: 0 }
    }

    pub(super) fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// Takes the next token if it is this word.
    pub(super) fn word(&mut self, wanted: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(there);
        there
    }

    /// Takes the next token if it is this symbol.
    pub(super) fn symbol(&mut self, wanted: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Symbol(symbol)) if *symbol == wanted);
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.symbol(wanted) {
            return Ok(());
        }
        Err(format!("{wanted:?} is missing"))
    }

    pub(super) fn name(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err("a name is missing".to_owned()),
        }
    }

    /// A text without `{expressions}`.
    pub(super) fn plain_text(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => Err("a text is missing".to_owned()),
        }
    }

    pub(super) fn expression(&mut self) -> Result<Expression, String> {
        let condition = self.level(0)?;
        if !self.symbol("?") {
            return Ok(condition);
        }
        let yes = self.expression()?;
        self.expect(":")?;
        let no = self.expression()?;
        Ok(Expression::Choice(condition.into(), yes.into(), no.into()))
    }

    fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        loop {
            let found = operators.iter().find(|(symbol, _)| self.symbol(symbol));
            let operator = match found {
                Some((_, operator)) => *operator,
                None if level == 3 && self.word("in") => Binary::In,
                None => return Ok(left),
            };
            let right = self.level(level + 1)?;
            left = Expression::Binary(operator, left.into(), right.into());
        }
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.symbol("!") {
            return Ok(Expression::Not(self.unary()?.into()));
        }
        if self.symbol("-") {
            return Ok(Expression::Negate(self.unary()?.into()));
        }
        let mut value = self.primary()?;
        loop {
            if self.symbol(".") {
                value = Expression::Field(value.into(), self.name()?);
            } else if self.symbol("[") {
                let index = self.expression()?;
                self.expect("]")?;
                value = Expression::Index(value.into(), index.into());
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("the line ends too soon")?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(pieces(&text)?)),
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => Ok(Expression::List(self.list("]")?)),
            Token::Symbol(other) => Err(format!("{other:?} is not expected")),
            Token::Word(word) => match word.as_str() {
                "null" => Ok(Expression::Null),
                "true" => Ok(Expression::Boolean(true)),
                "false" => Ok(Expression::Boolean(false)),
                _ if self.symbol("(") => {
                    let (arguments, named) = self.arguments()?;
                    Ok(Expression::Call(word, arguments, named))
                }
                _ => Ok(Expression::Name(word)),
            },
        }
    }

    /// Expressions up to a closing symbol, which is taken too.
    pub(super) fn list(&mut self, close: &str) -> Result<Vec<Expression>, String> {
        let mut items = Vec::new();
        while !self.symbol(close) {
            items.push(self.expression()?);
            if !self.symbol(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn arguments(&mut self) -> Result<Arguments, String> {
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        while !self.symbol(")") {
            let is_named = matches!(
                (self.tokens.get(self.at), self.tokens.get(self.at + 1)),
                (Some(Token::Word(_)), Some(Token::Symbol("=")))
            );
            if is_named {
                let name = self.name()?;
                self.expect("=")?;
                named.push((name, self.expression()?));
            } else {
                plain.push(self.expression()?);
            }
            if !self.symbol(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok((plain, named))
    }
}

type Arguments = (Vec<Expression>, Vec<(String, Expression)>);

/// `"Storage ({type})"` → a literal, an expression, a literal.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            found.push(Piece::Literal(rest[..open].to_owned()));
        }
        let close = rest[open..].find('}').ok_or("a { has no }")? + open;
        let mut inner = Parser::new(lexer::tokens(&rest[open + 1..close].replace('\'', "\""))?);
        found.push(Piece::Value(inner.expression()?));
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() || found.is_empty() {
        found.push(Piece::Literal(rest.to_owned()));
    }
    Ok(found)
}
