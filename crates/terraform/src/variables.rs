//! Variables of a workspace or a run as a variable file for `-var-file`.
//!
//! A file, not `-var` flags: arguments are visible to every process of the machine, and Terraform
//! only warns about an undeclared variable in a file where a flag ends the run. HCL, not
//! `.tfvars.json`: JSON can't carry an expression.

use std::collections::BTreeMap;

use crate::hcl;

/// One Terraform variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    pub key: &'a str,
    pub value: &'a str,
    /// `value` is an HCL expression, not a text.
    pub hcl: bool,
}

/// A variable that can't be put into a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VariableError {
    #[error("{key:?} is no name of a variable: use letters, digits, `_` and `-`, a letter first")]
    Name { key: String },
    #[error(
        "the value of variable {key:?} is not one whole HCL expression: check its brackets, quotes and heredocs"
    )]
    Expression { key: String },
}

/// The content of a `.tfvars` file. Of several variables with one key the last one wins.
///
/// # Errors
/// The first variable whose name or expression is unusable; the value is never in the error.
pub fn tfvars<'a>(
    variables: impl IntoIterator<Item = Variable<'a>>,
) -> Result<String, VariableError> {
    let mut last = BTreeMap::new();
    for variable in variables {
        last.insert(variable.key, variable);
    }
    let mut text = String::new();
    for variable in last.into_values() {
        text.push_str(&assignment(&variable)?);
    }
    Ok(text)
}

/// `value` as the expression that stands for it, which is also how run variables look on the wire.
///
/// # Errors
/// When `hcl` is set and the value is not one expression.
pub fn expression(variable: &Variable<'_>) -> Result<String, VariableError> {
    if !variable.hcl {
        return Ok(hcl::quote(variable.value));
    }
    if hcl::is_one_expression(variable.value) {
        Ok(variable.value.trim().to_owned())
    } else {
        Err(VariableError::Expression {
            key: variable.key.to_owned(),
        })
    }
}

/// Whether Terraform can have a variable of this name.
pub fn is_name(key: &str) -> bool {
    key.len() <= 256
        && key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn assignment(variable: &Variable<'_>) -> Result<String, VariableError> {
    if !is_name(variable.key) {
        return Err(VariableError::Name {
            key: variable.key.chars().take(80).collect(),
        });
    }
    Ok(format!("{} = {}\n", variable.key, expression(variable)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_and_expressions_are_not() {
        let text = tfvars([
            Variable {
                key: "b",
                value: "${x}\n",
                hcl: false,
            },
            Variable {
                key: "a",
                value: "[1,\n2]\n",
                hcl: true,
            },
            Variable {
                key: "b",
                value: "last",
                hcl: false,
            },
        ]);
        assert_eq!(text.unwrap(), "a = [1,\n2]\nb = \"last\"\n");
    }

    #[test]
    fn a_value_cannot_define_another_variable() {
        let sly = Variable {
            key: "a",
            value: "1\nadmin = true",
            hcl: true,
        };
        assert_eq!(
            tfvars([sly]),
            Err(VariableError::Expression { key: "a".into() })
        );
        let sly = Variable {
            key: "a = 1\nb",
            value: "1",
            hcl: false,
        };
        assert!(matches!(tfvars([sly]), Err(VariableError::Name { .. })));
    }
}
