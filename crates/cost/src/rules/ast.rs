//! What rule files mean, parsed.

use rust_decimal::Decimal;

/// Statements in order.
pub(crate) type Block = Vec<Statement>;

/// A named block with parameters.
#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Block,
}

#[derive(Debug)]
pub(crate) enum Statement {
    /// `let NAME = EXPRESSION`
    Let(String, Expression),
    /// `region EXPRESSION`: what follows is priced there.
    Region(Expression),
    /// `if CONDITION … else … end`
    If(Expression, Block, Block),
    /// `for NAME in LIST … end`
    For(String, Expression, Block),
    /// `in PATH … end`: what is inside is a part of the resource.
    Part(Expression, Block),
    /// `call MACRO(ARGUMENTS)`
    Call(String, Vec<Expression>),
    /// `cost …` or `usage …`
    Component(Box<Component>),
    /// `free`: such a one costs nothing.
    Free,
    /// `unknown "reason"`: such a one can't be priced.
    Unknown(Expression),
    /// `missing "reason"`: the book has no price for such a one.
    Missing(Expression),
}

/// `cost|usage NAME UNIT = QUANTITY [tiers …] [@ PRICE] [when CONDITION]`
#[derive(Debug)]
pub(crate) struct Component {
    /// Paid for what is used rather than for what exists.
    pub(crate) by_usage: bool,
    pub(crate) name: Expression,
    pub(crate) unit: String,
    pub(crate) quantity: Expression,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) price: Option<Expression>,
    pub(crate) condition: Option<Expression>,
}

/// A slice of a quantity that is a line of its own.
#[derive(Debug)]
pub(crate) struct Tier {
    /// How much of the quantity it takes; `None` takes what is left.
    pub(crate) size: Option<Decimal>,
    pub(crate) label: String,
}

#[derive(Debug)]
pub(crate) enum Expression {
    Null,
    Boolean(bool),
    Number(Decimal),
    /// Text with `{expressions}` in it.
    Text(Vec<Piece>),
    /// A variable, else an attribute of the resource.
    Name(String),
    Field(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    List(Vec<Expression>),
    Call(String, Vec<Expression>, Vec<(String, Expression)>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    Choice(Box<Expression>, Box<Expression>, Box<Expression>),
}

#[derive(Debug)]
pub(crate) enum Piece {
    Literal(String),
    Value(Expression),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    /// The first price that there is.
    Else,
    /// The left one, unless it is null or not known yet.
    Default,
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
}
