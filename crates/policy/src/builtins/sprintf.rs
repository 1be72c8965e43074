//! `sprintf` as Go formats, because OPA's is Go's.
//!
//! The engine's own drops what it doesn't know (`%-40s` prints nothing of its argument), so
//! different denials became equal strings and vanished from the set. Messages are compared by
//! people and by tests: they have to be the same letter for letter, mistakes (`%!d(string=a)`)
//! included.
//!
//! Source of the rules: the documentation of Go's package `fmt`, and OPA's way to hand over its
//! arguments: whole numbers as integers, other numbers as floats, strings as they are, everything
//! else as the text of the term.

use regorus::Value;

use super::text;

/// Widest padding and longest precision: Go stops at the same number.
const WIDEST: usize = 1_000_000;
/// Longest text that is made, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// `sprintf(format, arguments)`; undefined when the types are wrong, as OPA has it.
pub(super) fn sprintf(arguments: &[Value]) -> anyhow::Result<Value> {
    let (Some(Value::String(format)), Some(Value::Array(values))) =
        (arguments.first(), arguments.get(1))
    else {
        return Ok(Value::Undefined);
    };
    let values: Vec<Argument> = values.iter().map(Argument::of).collect();
    Ok(Value::from(format_go(format, &values)?))
}

/// An argument as Go sees it.
enum Argument {
    Int(String),
    Float(f64),
    Text(String),
}

impl Argument {
    fn of(value: &Value) -> Self {
        match value {
            Value::Number(number) => {
                if number.is_integer() {
                    Self::Int(number.format_decimal())
                } else {
                    Self::Float(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => Self::Text(text.to_string()),
            Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Set(_)
            | Value::Object(_)
            | Value::Undefined => Self::Text(text::of(value)),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Int(digits) if digits.parse::<i64>().is_err() => "*big.Int",
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

/// Flags, width and precision of one verb.
#[derive(Default, Clone, Copy)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

fn format_go(format: &str, values: &[Argument]) -> anyhow::Result<String> {
    let mut out = String::with_capacity(format.len() * 2);
    let mut state = State {
        rest: format.chars().peekable(),
        values,
        next: 0,
        reordered: false,
        good_index: true,
    };
    while let Some(character) = state.rest.next() {
        if character == '%' {
            state.verb(&mut out);
        } else {
            out.push(character);
        }
        anyhow::ensure!(
            out.len() < LONGEST,
            "sprintf made more than {LONGEST} bytes"
        );
    }
    if !state.reordered && state.next < values.len() {
        let extra: Vec<String> = values[state.next..]
            .iter()
            .map(|value| format!("{}={}", value.kind(), print(value, 'v', Spec::default())))
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

struct State<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    values: &'a [Argument],
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl State<'_> {
    /// Everything behind a `%`.
    fn verb(&mut self, out: &mut String) {
        let mut spec = self.flags();
        self.good_index = true;
        let mut after_index = self.index();
        if self.rest.next_if_eq(&'*').is_some() {
            match self.star() {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.zero &= !spec.minus;
                    spec.width = Some(width.unsigned_abs().try_into().unwrap_or(0));
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            spec.width = self.number();
            // "%[3]2d"
            self.good_index &= !(after_index && spec.width.is_some());
        }
        if self.rest.next_if_eq(&'.').is_some() {
            // "%[3].2d"
            self.good_index &= !after_index;
            after_index = self.index();
            if self.rest.next_if_eq(&'*').is_some() {
                match self.star() {
                    Some(precision) => spec.precision = usize::try_from(precision).ok(),
                    None => out.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                spec.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.next() else {
            out.push_str("%!(NOVERB)");
            return;
        };
        if verb == '%' {
            out.push('%');
        } else if !self.good_index {
            out.push_str(&format!("%!{verb}(BADINDEX)"));
        } else if let Some(value) = self.values.get(self.next) {
            self.next += 1;
            out.push_str(&print(value, verb, spec));
        } else {
            out.push_str(&format!("%!{verb}(MISSING)"));
        }
    }

    fn flags(&mut self) -> Spec {
        let mut spec = Spec::default();
        while let Some(flag) = self.rest.peek() {
            match flag {
                '#' => spec.sharp = true,
                '0' => spec.zero = !spec.minus,
                '+' => spec.plus = true,
                '-' => {
                    spec.minus = true;
                    spec.zero = false;
                }
                ' ' => spec.space = true,
                _ => break,
            }
            self.rest.next();
        }
        spec
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok().filter(|number| *number <= WIDEST)
    }

    /// `[N]`: the number of the argument that comes next, from 1. Tells whether there was one.
    fn index(&mut self) -> bool {
        if self.rest.next_if_eq(&'[').is_none() {
            return false;
        }
        self.reordered = true;
        let mut inside = String::new();
        for character in self.rest.by_ref() {
            if character == ']' {
                break;
            }
            inside.push(character);
        }
        match inside.parse::<usize>() {
            Ok(number) if (1..=self.values.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            _ => {
                self.good_index = false;
                false
            }
        }
    }

    /// A width or precision that is an argument.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        self.next += 1;
        match value {
            Some(Argument::Int(digits)) => digits
                .parse()
                .ok()
                .filter(|number: &i64| number.unsigned_abs() <= WIDEST as u64),
            _ => None,
        }
    }
}

fn print(value: &Argument, verb: char, spec: Spec) -> String {
    match value {
        Argument::Int(digits) => int(digits, verb, spec),
        Argument::Float(number) => float(*number, verb, spec),
        Argument::Text(text) => string(text, verb, spec),
    }
    .unwrap_or_else(|| bad(value, verb, spec))
}

/// A verb that doesn't fit its argument: `%!d(string=a)`, printed with the same flags.
fn bad(value: &Argument, verb: char, spec: Spec) -> String {
    format!("%!{verb}({}={})", value.kind(), print(value, 'v', spec))
}

fn int(digits: &str, verb: char, spec: Spec) -> Option<String> {
    let (negative, digits) = digits
        .strip_prefix('-')
        .map_or((false, digits), |d| (true, d));
    let number = || digits.parse::<u128>().ok();
    let (prefix, body) = match verb {
        'd' | 'v' => ("", digits.to_owned()),
        'b' => (
            if spec.sharp { "0b" } else { "" },
            format!("{:b}", number()?),
        ),
        'o' => (
            if spec.sharp { "0" } else { "" },
            format!("{:o}", number()?),
        ),
        'O' => ("0o", format!("{:o}", number()?)),
        'x' => (
            if spec.sharp { "0x" } else { "" },
            format!("{:x}", number()?),
        ),
        'X' => (
            if spec.sharp { "0X" } else { "" },
            format!("{:X}", number()?),
        ),
        'c' => return Some(pad(character(number()?).to_string(), spec, false)),
        'q' => {
            return Some(pad(
                text::quoted_character(character(number()?)),
                spec,
                false,
            ));
        }
        'U' => return Some(pad(format!("U+{:04X}", number()?), spec, false)),
        _ => return None,
    };
    Some(numeric(negative, prefix, body, spec))
}

fn character(code: u128) -> char {
    u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Digits with sign, precision (as the least number of digits) and zero padding.
fn numeric(negative: bool, prefix: &str, mut body: String, spec: Spec) -> String {
    let sign = sign(negative, spec);
    if let Some(least) = spec.precision {
        if least == 0 && body == "0" {
            return pad(String::new(), spec, false);
        }
        body.insert_str(0, &"0".repeat(least.saturating_sub(body.len())));
    } else if spec.zero
        && let Some(width) = spec.width
    {
        let least = width.saturating_sub(sign.len());
        body.insert_str(0, &"0".repeat(least.saturating_sub(body.len())));
    }
    pad(format!("{sign}{prefix}{body}"), spec, false)
}

fn sign(negative: bool, spec: Spec) -> &'static str {
    match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn float(number: f64, verb: char, spec: Spec) -> Option<String> {
    let body = match verb {
        'v' => text::float_general(number.abs(), spec.precision, 21),
        'g' | 'G' => text::float_general(number.abs(), spec.precision, 21),
        'f' | 'F' => format!("{:.*}", spec.precision.unwrap_or(6), number.abs()),
        'e' | 'E' => text::float_exponent(number.abs(), Some(spec.precision.unwrap_or(6))),
        _ => return None,
    };
    let body = if matches!(verb, 'G' | 'E') {
        body.to_uppercase()
    } else {
        body
    };
    let sign = sign(number.is_sign_negative(), spec);
    if spec.zero
        && spec
            .width
            .is_some_and(|width| width > sign.len() + body.len())
    {
        let zeros = spec.width.unwrap_or(0) - sign.len() - body.len();
        return Some(format!("{sign}{}{body}", "0".repeat(zeros)));
    }
    Some(pad(format!("{sign}{body}"), spec, false))
}

fn string(string: &str, verb: char, spec: Spec) -> Option<String> {
    let cut = |text: &str| match spec.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    let body = match verb {
        'v' if spec.sharp => text::quoted(string),
        's' | 'v' => cut(string),
        'q' if spec.sharp && !string.contains('`') => format!("`{}`", cut(string)),
        'q' => text::quoted(&cut(string)),
        'x' | 'X' => hexadecimal(string, verb == 'X', spec),
        _ => return None,
    };
    Some(pad(body, spec, true))
}

fn hexadecimal(text: &str, upper: bool, spec: Spec) -> String {
    let most = spec.precision.unwrap_or(usize::MAX);
    let digits: Vec<String> = text
        .bytes()
        .take(most)
        .map(|byte| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        })
        .collect();
    let prefix = match (spec.sharp, upper) {
        (false, _) => "",
        (true, false) => "0x",
        (true, true) => "0X",
    };
    if spec.space {
        let digits: Vec<String> = digits.iter().map(|two| format!("{prefix}{two}")).collect();
        digits.join(" ")
    } else {
        format!("{prefix}{}", digits.concat())
    }
}

/// Fills up to the width; zeros stand in front of text too, as Go has it.
fn pad(text: String, spec: Spec, zeros: bool) -> String {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if spec.minus {
        text + &" ".repeat(missing)
    } else if zeros && spec.zero {
        "0".repeat(missing) + &text
    } else {
        " ".repeat(missing) + &text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(format: &str, values: &str) -> String {
        let values = Value::from_json_str(values).unwrap();
        let made = sprintf(&[Value::from(format), values]).unwrap();
        made.as_string().unwrap().to_string()
    }

    /// Each line was printed by OPA 1.20.2 from the same format and arguments.
    #[test]
    fn texts_are_those_of_opa() {
        for (format, values, expected) in [
            ("%.2f", "[7]", "%!f(int64=07)"),
            ("%d", "[\"a\"]", "%!d(string=a)"),
            ("%t", "[true]", "%!t(string=true)"),
            (
                "%v|%s|%q",
                "[{\"a\":[1,{}]},[true,null],\"x\\ty\"]",
                "{\"a\": [1, {}]}|[true, null]|\"x\\ty\"",
            ),
            (
                "%5.1f|%-8s|%08d|%x|%X",
                "[3.14159,\"ab\",-42,255,\"hi\"]",
                "  3.1|ab      |-0000042|ff|6869",
            ),
            ("%e|%+d|%#x", "[12345.678,7,255]", "1.234568e+04|+7|0xff"),
            ("%s", "[7]", "%!s(int64=7)"),
            ("%d", "[7.5]", "%!d(float64=7.5)"),
            ("%d %d", "[1]", "1 %!d(MISSING)"),
            ("%d", "[1,2]", "1%!(EXTRA int64=2)"),
            ("%z", "[1]", "%!z(int64=1)"),
            ("%v", "[0.000001]", "1e-06"),
            ("%[2]d %[1]d", "[1,2]", "2 1"),
            ("%*d", "[5,42]", "   42"),
            ("%c|%U|%o|%b", "[65,65,8,5]", "A|U+0041|10|101"),
            ("100%", "[]", "100%!(NOVERB)"),
            ("%6.2f%%", "[12.345]", " 12.35%"),
        ] {
            assert_eq!(formatted(format, values), expected, "{format} {values}");
        }
    }

    #[test]
    fn different_addresses_stay_different() {
        assert_eq!(formatted("%-10s is bad", "[\"a.b\"]"), "a.b        is bad");
    }

    proptest::proptest! {
        /// Any format with any arguments is printed, or refused for its length.
        #[test]
        fn no_format_is_too_strange(
            format in "(%|[-+# 0*.\\[\\]1-9a-zA-Z]){0,30}",
            texts in proptest::collection::vec("[a-z\\PC]{0,5}", 0..4),
            numbers in proptest::collection::vec(proptest::num::f64::ANY, 0..3),
        ) {
            let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
            values.extend(numbers.into_iter().map(Value::from));
            let _ = sprintf(&[Value::from(format), Value::from(values)]);
        }
    }
}
