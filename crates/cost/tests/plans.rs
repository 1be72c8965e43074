//! What holds for every plan: sums, differences, replacements, states.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use cost::{Adjustments, Estimate, Estimator, Plan, Report, Status, Usage, by_module, by_tag};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn estimator() -> Estimator {
    Estimator::embedded().unwrap()
}

fn change(address: &str, kind: &str, actions: &[&str], before: Value, after: Value) -> Value {
    let (module, rest) = match address.rsplit_once(".t_") {
        Some((module, _)) if module.starts_with("module.") => (Some(module.to_owned()), address),
        _ => (None, address),
    };
    json!({
        "address": rest, "module_address": module, "mode": "managed", "type": kind, "name": "x",
        "change": {"actions": actions, "before": before, "after": after, "after_unknown": {}}
    })
}

fn estimate(changes: Vec<Value>) -> Estimate {
    estimate_with(&estimator(), changes)
}

fn estimate_with(estimator: &Estimator, changes: Vec<Value>) -> Estimate {
    let document = json!({"format_version": "1.2", "resource_changes": changes}).to_string();
    let plan = Plan::from_reader(document.as_bytes()).unwrap();
    estimator.estimate(&plan, &Usage::default())
}

fn instance(kind: &str) -> Value {
    json!({"instance_type": kind, "availability_zone": "us-east-1a", "tags": {"team": "a"}})
}

#[test]
fn a_replaced_resource_counts_once_on_each_side() {
    let estimate = estimate(vec![change(
        "aws_instance.x",
        "aws_instance",
        &["delete", "create"],
        instance("t3.medium"),
        instance("t3.large"),
    )]);
    assert_eq!(estimate.resources.len(), 1);
    assert_eq!(estimate.prior.monthly, "31.168".parse().unwrap());
    assert_eq!(estimate.delta(), "30.368".parse().unwrap());
}

#[test]
fn a_region_that_nothing_tells_is_unknown_and_never_guessed() {
    let lost = json!({"instance_type": "t3.medium"});
    let estimate = estimate(vec![change(
        "aws_instance.x",
        "aws_instance",
        &["create"],
        Value::Null,
        lost,
    )]);
    let cost = estimate.resources[0].after.as_ref().unwrap();
    assert_eq!(cost.status, Status::Unknown);
    assert_eq!(estimate.proposed.monthly, Decimal::ZERO);
    assert_eq!(estimate.proposed.count(Status::Unknown), 1);
}

#[test]
fn what_the_cloud_chooses_itself_is_not_taken_for_a_choice() {
    let mut made = change(
        "aws_instance.x",
        "aws_instance",
        &["create"],
        Value::Null,
        instance("t3.medium"),
    );
    made["change"]["after_unknown"] =
        json!({"host_id": true, "tenancy": true, "root_block_device": true});
    let estimate = estimate(vec![made]);
    assert_eq!(estimate.proposed.monthly, "31.168".parse().unwrap());
}

#[test]
fn states_are_told_apart() {
    let zone = |kind: &str| json!({"availability_zone": "us-east-1a", "type": kind});
    let estimate = estimate(vec![
        change(
            "aws_iam_role.x",
            "aws_iam_role",
            &["create"],
            Value::Null,
            json!({}),
        ),
        change(
            "aws_nowhere.x",
            "aws_nowhere",
            &["create"],
            Value::Null,
            json!({}),
        ),
        change(
            "aws_cloudwatch_log_group.x",
            "aws_cloudwatch_log_group",
            &["create"],
            Value::Null,
            json!({"region": "eu-west-1"}),
        ),
        change(
            "aws_ebs_volume.x",
            "aws_ebs_volume",
            &["create"],
            Value::Null,
            json!({"region": "mars-1", "size": 8}),
        ),
        change(
            "aws_ebs_volume.y",
            "aws_ebs_volume",
            &["create"],
            Value::Null,
            zone("gp2"),
        ),
    ]);
    let status = |index: usize| estimate.resources[index].after.as_ref().unwrap().status;
    assert_eq!(status(0), Status::UsageOnly);
    assert_eq!(status(1), Status::PriceMissing);
    assert_eq!(status(2), Status::Estimated);
    assert_eq!(status(3), Status::Free);
    assert_eq!(status(4), Status::Unsupported);
}

#[test]
fn discounts_and_prices_of_ones_own_are_applied_and_said() {
    let text = r#"{"discounts":{"aws_*":"50"},"monthly_prices":{"aws_nowhere":"9.99"}}"#;
    let estimator = Estimator {
        adjustments: Adjustments::parse(text).unwrap(),
        ..estimator()
    };
    let estimate = estimate_with(
        &estimator,
        vec![
            change(
                "aws_instance.x",
                "aws_instance",
                &["create"],
                Value::Null,
                instance("t3.medium"),
            ),
            change(
                "aws_nowhere.x",
                "aws_nowhere",
                &["create"],
                Value::Null,
                json!({}),
            ),
        ],
    );
    assert_eq!(estimate.proposed.monthly, "25.574".parse().unwrap());
    let cost = estimate.resources[0].after.as_ref().unwrap();
    assert!(
        cost.notes
            .iter()
            .any(|note| note.contains("discount of 50 %")),
        "{:?}",
        cost.notes
    );
}

#[test]
fn tags_and_modules_group_the_cost() {
    let estimate = estimate(vec![
        change(
            "module.a[0].t_x.x",
            "aws_instance",
            &["create"],
            Value::Null,
            instance("t3.medium"),
        ),
        change(
            "aws_instance.y",
            "aws_instance",
            &["create"],
            Value::Null,
            instance("t3.medium"),
        ),
    ]);
    assert_eq!(
        by_tag(&estimate, "team")["a"].proposed,
        estimate.proposed.monthly
    );
    let modules = by_module(&estimate);
    assert_eq!(modules.len(), 2);
    assert_eq!(
        modules["module.a[0]"].proposed * Decimal::TWO,
        estimate.proposed.monthly
    );
}

#[test]
fn what_is_no_plan_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"format_version":"9.0","resource_changes":[]}"#,
        "null",
    ] {
        assert!(Plan::from_reader(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn both_sides_of_a_report_are_decimal_strings() {
    let estimate = estimate(vec![change(
        "aws_instance.x",
        "aws_instance",
        &["delete"],
        instance("t3.medium"),
        Value::Null,
    )]);
    let report = serde_json::to_value(Report::of(&estimate)).unwrap();
    assert_eq!(report["prior_monthly_cost"], "31.168");
    assert_eq!(report["delta_monthly_cost"], "-31.168");
    assert_eq!(report["removed"][0]["resource_address"], "aws_instance.x");
    assert_eq!(report["resources"].as_array().unwrap().len(), 0);
    let detail = cost::policy_detail(&estimate);
    assert_eq!(
        detail["aws_instance.x"]["prior_monthly_cost"],
        json!(31.168)
    );
}

fn any_change(index: usize) -> impl Strategy<Value = Value> {
    let size = prop_oneof![
        Just("t3.medium"),
        Just("t3.large"),
        Just("m5.large"),
        Just("no.such")
    ];
    let disk =
        (1_u32..4000).prop_map(|size| json!({"type": "gp2", "size": size, "region": "us-east-1"}));
    let machine = size.prop_map(instance);
    let kind = prop_oneof![Just(0_usize), Just(1)];
    let action = prop_oneof![
        Just("no-op"),
        Just("create"),
        Just("delete"),
        Just("update"),
        Just("replace")
    ];
    (
        kind,
        action,
        machine.clone(),
        machine,
        disk.clone(),
        disk,
        0..3_usize,
    )
        .prop_map(
            move |(kind, action, machine, other, disk, larger, module)| {
                let (name, before, after) = match kind {
                    0 => ("aws_instance", machine, other),
                    _ => ("aws_ebs_volume", disk, larger),
                };
                let address = match module {
                    0 => format!("{name}.x[{index}]"),
                    module => format!("module.m{module}.t_{name}.x[{index}]"),
                };
                match action {
                    "no-op" => change(&address, name, &["no-op"], before.clone(), before),
                    "create" => change(&address, name, &["create"], Value::Null, after),
                    "delete" => change(&address, name, &["delete"], before, Value::Null),
                    "update" => change(&address, name, &["update"], before, after),
                    _ => change(&address, name, &["create", "delete"], before, after),
                }
            },
        )
}

fn any_plan() -> impl Strategy<Value = Vec<Value>> {
    (0_usize..12).prop_flat_map(|count| (0..count).map(any_change).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn totals_are_sums_and_the_delta_their_difference(changes in any_plan()) {
        let estimate = estimate(changes);
        let side = |pick: fn(&cost::Change) -> &Option<cost::ResourceCost>| -> Decimal {
            estimate.resources.iter().filter_map(|change| pick(change).as_ref()?.monthly).sum()
        };
        prop_assert_eq!(side(|change| &change.before), estimate.prior.monthly);
        prop_assert_eq!(side(|change| &change.after), estimate.proposed.monthly);
        prop_assert_eq!(estimate.delta(), estimate.proposed.monthly - estimate.prior.monthly);
        for cost in estimate.resources.iter().filter_map(|change| change.after.as_ref()) {
            let parts: Decimal = cost.components.iter().filter_map(|part| part.monthly).sum();
            prop_assert!(cost.monthly.is_none_or(|monthly| monthly == parts));
        }
        let modules: Decimal = by_module(&estimate).values().map(|group| group.proposed).sum();
        prop_assert_eq!(modules, estimate.proposed.monthly);
        let counted: usize = Status::ALL.iter().map(|status| estimate.proposed.count(*status)).sum();
        let kept = estimate.resources.iter().filter(|change| change.after.is_some()).count();
        prop_assert_eq!(counted, kept);
    }
}
