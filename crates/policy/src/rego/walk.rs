//! Visits every expression of a rule, once, from the outside in.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "only references continue a reference"
)]

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Rule, RuleHead, WithModifier};

/// What is told along the way.
pub(super) trait Visitor {
    /// An expression; of a reference (`a.b[c].d`) only the whole, not its beginnings.
    fn expression(&mut self, expression: &Expr);
    /// A `with TARGET as VALUE`.
    fn with(&mut self, modifier: &WithModifier);
}

/// One rule with its head.
pub(super) fn rule(this: &Rule, visitor: &mut impl Visitor) {
    match this {
        Rule::Spec { head, bodies, .. } => {
            walk_head(head, visitor);
            for body in bodies {
                if let Some(assign) = &body.assign {
                    expression(&assign.value, visitor);
                }
                query(&body.query, visitor);
            }
        }
        Rule::Default { value, args, .. } => {
            each(args.iter().map(AsRef::as_ref), visitor);
            expression(value, visitor);
        }
    }
}

/// The parts of a head that are evaluated: keys, arguments and values, not the rule's own name.
fn walk_head(head: &RuleHead, visitor: &mut impl Visitor) {
    let (name, rest, assign) = match head {
        RuleHead::Compr { refr, assign, .. } => (refr, Vec::new(), assign.as_ref()),
        RuleHead::Set { refr, key, .. } => (refr, key.iter().collect(), None),
        RuleHead::Func {
            refr, args, assign, ..
        } => (refr, args.iter().collect(), assign.as_ref()),
    };
    keys_of(name, visitor);
    each(rest.into_iter().map(AsRef::as_ref), visitor);
    if let Some(assign) = assign {
        expression(&assign.value, visitor);
    }
}

/// The bracketed parts of a rule's name: `name[KEY]`.
fn keys_of(name: &Expr, visitor: &mut impl Visitor) {
    if let Expr::RefBrack { refr, index, .. } = name {
        keys_of(refr, visitor);
        expression(index, visitor);
    } else if let Expr::RefDot { refr, .. } = name {
        keys_of(refr, visitor);
    }
}

fn query(query: &Query, visitor: &mut impl Visitor) {
    for statement in &query.stmts {
        walk_statement(statement, visitor);
    }
}

fn walk_statement(statement: &LiteralStmt, visitor: &mut impl Visitor) {
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn {
            key,
            value,
            collection,
            ..
        } => {
            each(key.iter().map(AsRef::as_ref), visitor);
            expression(value, visitor);
            expression(collection, visitor);
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expression(expr, visitor),
        Literal::Every {
            domain, query: all, ..
        } => {
            expression(domain, visitor);
            query(all, visitor);
        }
    }
    for modifier in &statement.with_mods {
        visitor.with(modifier);
        expression(&modifier.r#as, visitor);
    }
}

fn each<'a>(expressions: impl Iterator<Item = &'a Expr>, visitor: &mut impl Visitor) {
    for one in expressions {
        expression(one, visitor);
    }
}

fn expression(this: &Expr, visitor: &mut impl Visitor) {
    visitor.expression(this);
    match this {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            each(items.iter().map(AsRef::as_ref), visitor);
        }
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                expression(key, visitor);
                expression(value, visitor);
            }
        }
        Expr::ArrayCompr {
            term, query: of, ..
        }
        | Expr::SetCompr {
            term, query: of, ..
        } => {
            expression(term, visitor);
            query(of, visitor);
        }
        Expr::ObjectCompr {
            key,
            value,
            query: of,
            ..
        } => {
            expression(key, visitor);
            expression(value, visitor);
            query(of, visitor);
        }
        Expr::Call { params, .. } => each(params.iter().map(AsRef::as_ref), visitor),
        Expr::UnaryExpr { expr, .. } => expression(expr, visitor),
        Expr::RefDot { refr, .. } => inside_reference(refr, visitor),
        Expr::RefBrack { refr, index, .. } => {
            inside_reference(refr, visitor);
            expression(index, visitor);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            expression(lhs, visitor);
            expression(rhs, visitor);
        }
        Expr::Membership {
            key,
            value,
            collection,
            ..
        } => {
            each(key.iter().map(AsRef::as_ref), visitor);
            expression(value, visitor);
            expression(collection, visitor);
        }
    }
}

/// The beginning of a reference: what stands in its brackets, and what it starts from when that is
/// more than a name.
fn inside_reference(this: &Expr, visitor: &mut impl Visitor) {
    match this {
        Expr::Var { .. } => {}
        Expr::RefDot { refr, .. } => inside_reference(refr, visitor),
        Expr::RefBrack { refr, index, .. } => {
            inside_reference(refr, visitor);
            expression(index, visitor);
        }
        _ => expression(this, visitor),
    }
}
