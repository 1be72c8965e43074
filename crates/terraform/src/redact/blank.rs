//! Blanks the sensitive values of one change so that it still renders as what it is.
//!
//! The CLI prints `(sensitive value)` for what is marked, but decides between "updated" and
//! "unchanged" by comparing before and after, and walks compound values by their type. So a blank
//! keeps the JSON kind and whether the value changes, and nothing else: scalars get one of two
//! fixed values, objects and arrays become empty. A compound value that changes gets an unknown
//! `after`, which is the one way to say "different" without elements or keys.

use serde_json::{Map, Value};

/// In place of a text that stays the same, and of the one before a change.
const TEXT: &str = "(sensitive value)";
/// In place of the text after a change.
const CHANGED_TEXT: &str = "(sensitive value, changed)";

/// Whether a `before_sensitive` or `after_sensitive` document marks any value.
pub(super) fn marks_anything(marks: &Value) -> bool {
    match marks {
        Value::Bool(marked) => *marked,
        Value::Array(elements) => elements.iter().any(marks_anything),
        Value::Object(members) => members.values().any(marks_anything),
        Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// Blanks what either side marks, on both sides; gives the number of blanked places.
pub(super) fn blank(change: &mut Value) -> u64 {
    let Value::Object(change) = change else {
        return 0;
    };
    let before_marks = change.get("before_sensitive").cloned().unwrap_or_default();
    let after_marks = change.get("after_sensitive").cloned().unwrap_or_default();
    let mut before = change.remove("before");
    let mut after = change.remove("after");
    let mut blanker = Blanker::default();
    blanker.walk(
        before.as_mut(),
        after.as_mut(),
        Some(&before_marks),
        Some(&after_marks),
    );
    change.extend(before.map(|value| ("before".to_owned(), value)));
    change.extend(after.map(|value| ("after".to_owned(), value)));
    for path in blanker.unknown {
        mark(change.entry("after_unknown").or_insert(Value::Null), &path);
    }
    blanker.count
}

#[derive(Clone)]
enum Step {
    Member(String),
    Element(usize),
}

#[derive(Default)]
struct Blanker {
    count: u64,
    path: Vec<Step>,
    /// Where `after` has to be marked unknown.
    unknown: Vec<Vec<Step>>,
}

impl Blanker {
    fn walk(
        &mut self,
        before: Option<&mut Value>,
        after: Option<&mut Value>,
        before_marks: Option<&Value>,
        after_marks: Option<&Value>,
    ) {
        let marks = [before_marks, after_marks];
        if marks.contains(&Some(&Value::Bool(true))) {
            self.count += 1;
            return self.blank_pair(before, after);
        }
        let (mut before, mut after) = (before, after);
        for step in steps(marks) {
            let marks = marks.map(|marks| marks.and_then(|marks| child(marks, &step)));
            self.path.push(step.clone());
            self.walk(
                before
                    .as_deref_mut()
                    .and_then(|value| child_mut(value, &step)),
                after
                    .as_deref_mut()
                    .and_then(|value| child_mut(value, &step)),
                marks[0],
                marks[1],
            );
            self.path.pop();
        }
    }

    fn blank_pair(&mut self, before: Option<&mut Value>, after: Option<&mut Value>) {
        match (before, after) {
            (Some(before), Some(after)) => {
                let changed = before != after;
                if changed && is_compound(before) && is_compound(after) {
                    *after = Value::Null;
                    self.unknown.push(self.path.clone());
                } else {
                    *after = blanked(after, changed);
                }
                *before = blanked(before, false);
            }
            (Some(only), None) | (None, Some(only)) => *only = blanked(only, false),
            (None, None) => {}
        }
    }
}

fn is_compound(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn blanked(value: &Value, changed: bool) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => Value::Bool(changed),
        Value::Number(_) => Value::from(u8::from(changed)),
        Value::String(_) => Value::from(if changed { CHANGED_TEXT } else { TEXT }),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) => Value::Object(Map::new()),
    }
}

/// Every member or element that either document of marks says something about.
fn steps(marks: [Option<&Value>; 2]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut longest = 0;
    for marks in marks.into_iter().flatten() {
        match marks {
            Value::Object(members) => {
                let known = |name: &String| {
                    steps
                        .iter()
                        .any(|step| matches!(step, Step::Member(other) if other == name))
                };
                let new: Vec<_> = members
                    .keys()
                    .filter(|name| !known(name))
                    .cloned()
                    .collect();
                steps.extend(new.into_iter().map(Step::Member));
            }
            Value::Array(elements) => longest = longest.max(elements.len()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    steps.extend((0..longest).map(Step::Element));
    steps
}

fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Member(name) => value.get(name),
        Step::Element(index) => value.get(index),
    }
}

fn child_mut<'v>(value: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match step {
        Step::Member(name) => value.get_mut(name),
        Step::Element(index) => value.get_mut(index),
    }
}

/// Sets `path` of an `after_unknown` document to true, making what is missing on the way.
fn mark(unknown: &mut Value, path: &[Step]) {
    if *unknown == Value::Bool(true) {
        return;
    }
    let Some((step, rest)) = path.split_first() else {
        *unknown = Value::Bool(true);
        return;
    };
    match step {
        Step::Member(name) => {
            if !unknown.is_object() {
                *unknown = Value::Object(Map::new());
            }
            mark(&mut unknown[name.as_str()], rest);
        }
        Step::Element(index) => {
            if !unknown.is_array() {
                *unknown = Value::Array(Vec::new());
            }
            let Value::Array(elements) = unknown else {
                return;
            };
            if elements.len() <= *index {
                elements.resize(index + 1, Value::Bool(false));
            }
            mark(&mut elements[*index], rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changes_still_changes_and_what_stays_still_stays() {
        let mut change = json!({
            "before": {"same": "s", "text": "a", "number": 1.5, "flag": true, "gone": "x", "map": {"k": "v"}},
            "after": {"same": "s", "text": "b", "number": 7, "flag": false, "gone": null, "map": {"l": "v"}},
            "after_unknown": {"id": true},
            "before_sensitive": {"same": true, "text": true, "number": true, "flag": true, "gone": true, "map": true},
            "after_sensitive": {"text": true},
        });
        assert_eq!(blank(&mut change), 6);
        assert_eq!(
            change["before"],
            json!({"same": TEXT, "text": TEXT, "number": 0, "flag": false, "gone": TEXT, "map": {}})
        );
        assert_eq!(
            change["after"],
            json!({"same": TEXT, "text": CHANGED_TEXT, "number": 1, "flag": true, "gone": null, "map": null})
        );
        assert_eq!(change["after_unknown"], json!({"id": true, "map": true}));
    }

    #[test]
    fn marks_inside_lists_reach_their_elements() {
        let mut change = json!({
            "before": null,
            "after": {"rule": [{"port": 1, "key": "secret"}, {"port": 2, "key": "secret"}]},
            "before_sensitive": false,
            "after_sensitive": {"rule": [{"key": true}, {"key": true}]},
        });
        blank(&mut change);
        assert_eq!(change["after"]["rule"][1], json!({"port": 2, "key": TEXT}));
        assert!(!change.to_string().contains("\"secret\""));
    }

    #[test]
    fn a_value_sensitive_on_one_side_is_blanked_on_both() {
        let mut change = json!({"before": "v", "after": "v", "before_sensitive": false, "after_sensitive": true});
        blank(&mut change);
        assert_eq!(
            (&change["before"], &change["after"]),
            (&json!(TEXT), &json!(TEXT))
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::from("hunter2")),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever the documents look like, a wholly marked change gives nothing away.
        #[test]
        fn a_wholly_marked_change_holds_no_secret(before in value(), after in value()) {
            let mut change = json!({"before": before, "after": after, "after_sensitive": true});
            blank(&mut change);
            prop_assert!(!change.to_string().contains("hunter2"));
        }

        #[test]
        fn any_marks_are_answered(before in value(), after in value(), marks in value(), unknown in value()) {
            let mut change = json!({"before": before, "after": after, "before_sensitive": marks, "after_unknown": unknown});
            blank(&mut change);
        }
    }
}
