//! The plan as policies see it: `terraform show -json`, with sensitive values replaced.
//!
//! A value that the plan marks as sensitive becomes a marker made with a key, so that a policy can
//! still see whether two values are equal, and nobody who has the input can see what they are.

use serde_json::Value;

use super::sanitise::{Marker, mask};

/// The plan can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("this is no JSON plan")]
    Json(#[source] serde_json::Error),
    #[error("this is no JSON plan: it has no format_version")]
    NoPlan,
}

/// Takes what must not be seen out of plans.
#[derive(Debug)]
pub struct Sanitiser {
    marker: Marker,
}

impl Sanitiser {
    /// With a key of at least 32 random bytes, one for each account or environment: values compare
    /// equal within one key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self {
            marker: Marker::new(key),
        }
    }

    /// Also replaces every text that contains one of these, marked or not: what the caller knows to
    /// be secret. Very short ones are ignored, they would blank half the plan.
    #[must_use]
    pub fn hiding(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.marker.hide(secrets);
        self
    }

    /// Reads `terraform show -json PLANFILE` and gives it back without its secrets.
    ///
    /// # Errors
    /// When it is no JSON plan.
    pub fn plan(&self, json: &[u8]) -> Result<Value, PlanError> {
        let mut plan: Value = serde_json::from_slice(json).map_err(PlanError::Json)?;
        if plan.get("format_version").is_none() {
            return Err(PlanError::NoPlan);
        }
        self.sanitise(&mut plan);
        Ok(plan)
    }

    /// The same on a parsed plan.
    pub fn sanitise(&self, plan: &mut Value) {
        let secret_variables = self.configuration(plan.pointer_mut("/configuration/root_module"));
        if let Some(variables) = plan.get_mut("variables").and_then(Value::as_object_mut) {
            for (name, variable) in variables {
                if secret_variables.contains(name) {
                    self.member(variable, "value");
                }
            }
        }
        for list in ["resource_changes", "resource_drift"] {
            for resource in items(plan.get_mut(list)) {
                self.change(resource.get_mut("change"));
            }
        }
        for deferred in items(plan.get_mut("deferred_changes")) {
            self.change(deferred.pointer_mut("/resource_change/change"));
        }
        for action in items(plan.get_mut("action_invocations")) {
            self.pair(action, "config_values", "config_sensitive");
        }
        if let Some(outputs) = plan
            .get_mut("output_changes")
            .and_then(Value::as_object_mut)
        {
            for output in outputs.values_mut() {
                self.change(Some(output));
            }
        }
        self.values(plan.get_mut("planned_values"));
        self.values(plan.pointer_mut("/prior_state/values"));
        self.marker.hide_in(plan);
    }

    /// Names of the module's sensitive variables; their defaults are replaced, and constants that are
    /// sensitive outputs, below it too.
    fn configuration(&self, module: Option<&mut Value>) -> Vec<String> {
        let Some(module) = module else {
            return Vec::new();
        };
        let mut secret = Vec::new();
        if let Some(variables) = module.get_mut("variables").and_then(Value::as_object_mut) {
            for (name, variable) in variables {
                if variable.get("sensitive") == Some(&Value::Bool(true)) {
                    self.member(variable, "default");
                    secret.push(name.clone());
                }
            }
        }
        if let Some(outputs) = module.get_mut("outputs").and_then(Value::as_object_mut) {
            for output in outputs.values_mut() {
                if output.get("sensitive") == Some(&Value::Bool(true))
                    && let Some(expression) = output.get_mut("expression")
                {
                    self.member(expression, "constant_value");
                }
            }
        }
        if let Some(calls) = module
            .get_mut("module_calls")
            .and_then(Value::as_object_mut)
        {
            for call in calls.values_mut() {
                let below = self.configuration(call.get_mut("module"));
                // What is handed to a sensitive variable as a constant is as secret.
                if let Some(given) = call.get_mut("expressions").and_then(Value::as_object_mut) {
                    for (name, expression) in given {
                        if below.contains(name) {
                            self.member(expression, "constant_value");
                        }
                    }
                }
            }
        }
        secret
    }

    fn change(&self, change: Option<&mut Value>) {
        if let Some(change) = change {
            self.pair(change, "before", "before_sensitive");
            self.pair(change, "after", "after_sensitive");
        }
    }

    /// `outputs` and modules of values.
    fn values(&self, values: Option<&mut Value>) {
        let Some(values) = values else { return };
        if let Some(outputs) = values.get_mut("outputs").and_then(Value::as_object_mut) {
            for output in outputs.values_mut() {
                if output.get("sensitive") == Some(&Value::Bool(true)) {
                    self.member(output, "value");
                }
            }
        }
        self.module(values.get_mut("root_module"));
    }

    fn module(&self, module: Option<&mut Value>) {
        let Some(module) = module else { return };
        for resource in items(module.get_mut("resources")) {
            self.pair(resource, "values", "sensitive_values");
        }
        for child in items(module.get_mut("child_modules")) {
            self.module(Some(child));
        }
    }

    fn member(&self, object: &mut Value, name: &str) {
        if let Some(value) = object.get_mut(name) {
            self.marker.replace(value);
        }
    }

    fn pair(&self, object: &mut Value, values: &str, marks: &str) {
        let Some(marks) = object.get(marks).cloned() else {
            return;
        };
        if let Some(values) = object.get_mut(values) {
            mask(values, &marks, &self.marker);
        }
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sanitised(mut plan: Value) -> Value {
        Sanitiser::new(&[7; 32]).sanitise(&mut plan);
        plan
    }

    #[test]
    fn sensitive_values_leave_no_trace_and_stay_comparable() {
        let plan = sanitised(json!({
            "variables": {"password": {"value": "hunter2hunter2"}, "region": {"value": "eu"}},
            "configuration": {"root_module": {
                "variables": {"password": {"sensitive": true, "default": "hunter2hunter2"}, "region": {}},
                "outputs": {"o": {"sensitive": true, "expression": {"constant_value": "hunter2hunter2"}}},
                "module_calls": {"m": {
                    "expressions": {"secret": {"constant_value": "hunter2hunter2"}},
                    "module": {"variables": {"secret": {"sensitive": true}}},
                }},
            }},
            "resource_changes": [{"address": "a.b", "change": {
                "before": {"password": "hunter2hunter2", "name": "x", "list": [{"key": "hunter2hunter2"}, {"key": "open"}]},
                "before_sensitive": {"password": true, "list": [{"key": true}, {}]},
                "after": {"password": "hunter2hunter2", "name": "x"},
                "after_sensitive": {"password": true},
            }}],
            "resource_drift": [{"change": {"before": "hunter2hunter2", "before_sensitive": true, "after": null, "after_sensitive": true}}],
            "output_changes": {"o": {"before": null, "after": "hunter2hunter2", "after_sensitive": true}},
            "planned_values": {
                "outputs": {"o": {"sensitive": true, "value": "hunter2hunter2"}},
                "root_module": {"child_modules": [{"resources": [
                    {"values": {"password": "hunter2hunter2"}, "sensitive_values": {"password": true}}]}]},
            },
            "prior_state": {"values": {"root_module": {"resources": [
                {"values": {"password": "hunter2hunter2", "n": 1}, "sensitive_values": {"password": true}}]}}},
            "action_invocations": [{"config_values": {"t": "hunter2hunter2"}, "config_sensitive": {"t": true}}],
        }));
        assert!(!plan.to_string().contains("hunter2"), "{plan}");
        let change = &plan["resource_changes"][0]["change"];
        assert_eq!(change["before"]["password"], change["after"]["password"]);
        assert!(
            change["after"]["password"]
                .as_str()
                .unwrap()
                .starts_with("(sensitive)[")
        );
        assert_eq!(change["before"]["list"][1]["key"], "open");
        assert_eq!(change["after"]["name"], "x");
        assert_eq!(plan["resource_drift"][0]["change"]["after"], Value::Null);
        assert_eq!(plan["variables"]["region"]["value"], "eu");
    }

    #[test]
    fn known_secrets_are_hidden_wherever_they_stand() {
        let mut plan = json!({"configuration": {"provider_config": {"aws": {"expressions": {
            "secret_key": {"constant_value": "key=abcdefgh;"}, "region": {"constant_value": "eu"}}}}}});
        Sanitiser::new(&[1; 32])
            .hiding(["abcdefgh".to_owned(), "eu".to_owned()])
            .sanitise(&mut plan);
        let expressions = &plan["configuration"]["provider_config"]["aws"]["expressions"];
        assert!(!plan.to_string().contains("abcdefgh"));
        assert_eq!(expressions["region"]["constant_value"], "eu");
    }

    #[test]
    fn another_key_makes_another_marker() {
        let plan = || {
            json!({"variables": {"p": {"value": "x"}},
            "configuration": {"root_module": {"variables": {"p": {"sensitive": true}}}}})
        };
        let (mut one, mut other) = (plan(), plan());
        Sanitiser::new(&[1; 32]).sanitise(&mut one);
        Sanitiser::new(&[2; 32]).sanitise(&mut other);
        assert_ne!(one["variables"], other["variables"]);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let sanitiser = Sanitiser::new(&[1; 32]);
        assert!(matches!(sanitiser.plan(b"{"), Err(PlanError::Json(_))));
        assert!(matches!(sanitiser.plan(b"{}"), Err(PlanError::NoPlan)));
    }
}
