//! Evaluates expressions. Nothing and what is not known yet travel through arithmetic; nothing here panics.

use std::borrow::Cow;
use std::rc::Rc;

use rust_decimal::Decimal;

use super::statement::Run;
use super::value::Value;
use crate::rules::{Binary, Expression, Piece};

impl<'a> Run<'a> {
    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Value<'a> {
        match expression {
            Expression::Null => Value::Null,
            Expression::Boolean(value) => Value::Boolean(*value),
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(pieces) => self.interpolate(pieces),
            Expression::Name(name) => self.name(name),
            Expression::Field(of, name) => {
                let of = self.evaluate(of);
                self.field(&of, name)
            }
            Expression::Index(of, index) => {
                let items = self.evaluate(of).items();
                let index = self.evaluate(index).number();
                let index = index.and_then(|index| usize::try_from(index.trunc().mantissa()).ok());
                index
                    .and_then(|index| items.get(index).cloned())
                    .unwrap_or(Value::Null)
            }
            Expression::List(items) => Value::List(Rc::new(
                items.iter().map(|item| self.evaluate(item)).collect(),
            )),
            Expression::Call(name, arguments, named) => self.function(name, arguments, named),
            Expression::Not(inner) => match self.evaluate(inner) {
                Value::Unknown => Value::Unknown,
                value => Value::Boolean(!value.holds()),
            },
            Expression::Negate(inner) => {
                let value = self.evaluate(inner);
                value
                    .number()
                    .map_or(value, |number| Value::Number(-number))
            }
            Expression::Choice(condition, yes, no) => {
                if self.evaluate(condition).holds() {
                    self.evaluate(yes)
                } else {
                    self.evaluate(no)
                }
            }
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }

    fn interpolate(&mut self, pieces: &'a [Piece]) -> Value<'a> {
        if let [Piece::Literal(text)] = pieces {
            return Value::Text(Cow::Borrowed(text));
        }
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(expression) => text.push_str(&self.evaluate(expression).text()),
            }
        }
        Value::Text(Cow::Owned(text))
    }

    fn binary(
        &mut self,
        operator: Binary,
        left: &'a Expression,
        right: &'a Expression,
    ) -> Value<'a> {
        let a = self.evaluate(left);
        match operator {
            Binary::Default => {
                if a.is_nothing() {
                    let value = self.evaluate(right);
                    if matches!(a, Value::Unknown) && !value.is_nothing() {
                        self.assume(left, &value);
                    }
                    return value;
                }
                return a;
            }
            Binary::Else => {
                return match a {
                    Value::NoPrice(_) | Value::Null => match self.evaluate(right) {
                        // The first miss says more than the last.
                        Value::NoPrice(_) if matches!(a, Value::NoPrice(_)) => a,
                        value => value,
                    },
                    _ => a,
                };
            }
            Binary::Or if a.holds() => return Value::Boolean(true),
            Binary::And if !a.holds() => return Value::Boolean(false),
            _ => {}
        }
        let b = self.evaluate(right);
        let unknown = matches!(a, Value::Unknown) || matches!(b, Value::Unknown);
        match operator {
            Binary::Or | Binary::And => Value::Boolean(b.holds()),
            _ if unknown => Value::Unknown,
            Binary::Equal => Value::Boolean(a.equals(&b)),
            Binary::Unequal => Value::Boolean(!a.equals(&b)),
            Binary::In => Value::Boolean(b.items().iter().any(|item| item.equals(&a))),
            _ => arithmetic(operator, &a, &b),
        }
    }
}

fn arithmetic<'a>(operator: Binary, a: &Value<'a>, b: &Value<'a>) -> Value<'a> {
    let scaled = |price: &Value<'a>, factor: Option<Decimal>| match (price, factor) {
        (Value::Price(price), Some(factor)) => super::price::scale(price, factor),
        (Value::NoPrice(reason), _) => Value::NoPrice(reason.clone()),
        _ => Value::Null,
    };
    match (a, b, operator) {
        (Value::Price(_) | Value::NoPrice(_), _, Binary::Multiply) => return scaled(a, b.number()),
        (_, Value::Price(_) | Value::NoPrice(_), Binary::Multiply) => return scaled(b, a.number()),
        (Value::Price(_) | Value::NoPrice(_), _, Binary::Divide) => {
            return scaled(a, b.number().and_then(|b| Decimal::ONE.checked_div(b)));
        }
        (Value::Price(one), Value::Price(other), Binary::Add) => {
            return super::price::add(one, other);
        }
        (Value::NoPrice(_), _, _) => return a.clone(),
        (_, Value::NoPrice(_), _) => return b.clone(),
        _ => {}
    }
    let (Some(a), Some(b)) = (a.number(), b.number()) else {
        return Value::Null;
    };
    let number = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide => a.checked_div(b),
        Binary::Less => return Value::Boolean(a < b),
        Binary::LessOrEqual => return Value::Boolean(a <= b),
        Binary::Greater => return Value::Boolean(a > b),
        Binary::GreaterOrEqual => return Value::Boolean(a >= b),
        Binary::Else
        | Binary::Default
        | Binary::Or
        | Binary::And
        | Binary::Equal
        | Binary::Unequal
        | Binary::In => None,
    };
    number.map_or(Value::Unknown, Value::Number)
}
