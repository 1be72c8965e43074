//! `terrane cost` and `terrane pricebook`: on the desk, from files alone.

use std::path::Path;

use serde_json::{Value, json};
use tests::terrane;

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn write_plan(folder: &Path) {
    let made = |address: &str, kind: &str, before: Value, after: Value, actions: Value| {
        json!({"address": address, "mode": "managed", "type": kind, "name": "x",
            "change": {"actions": actions, "before": before, "after": after, "after_unknown": {}}})
    };
    let nat = json!({"region": "us-east-1"});
    let large = json!({"region": "us-east-1", "instance_type": "t3.large"});
    let medium = json!({"region": "us-east-1", "instance_type": "t3.medium"});
    let document = json!({"format_version": "1.2", "resource_changes": [
        made("aws_nat_gateway.n", "aws_nat_gateway", Value::Null, nat, json!(["create"])),
        made("aws_instance.i", "aws_instance", medium, large, json!(["delete", "create"])),
        made("aws_iam_role.r", "aws_iam_role", Value::Null, json!({}), json!(["create"])),
        made("other_thing.o", "other_thing", Value::Null, json!({}), json!(["create"])),
    ]});
    std::fs::write(folder.join("plan.json"), document.to_string()).unwrap();
}

#[test]
fn a_plan_is_priced_from_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_plan(folder.path());
    let usage = "resource_usage:\n  aws_nat_gateway.n:\n    monthly_data_processed_gb: 100\n";
    std::fs::write(folder.path().join("usage.yml"), usage).unwrap();
    let (plan, usage) = (
        path(folder.path(), "plan.json"),
        path(folder.path(), "usage.yml"),
    );
    let output = terrane(
        &[
            "cost", "estimate", "--plan", &plan, "--usage", &usage, "--json",
        ],
        &[],
    );
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["prior_monthly_cost"], "31.168");
    assert_eq!(report["proposed_monthly_cost"], "98.886");
    assert_eq!(report["delta_monthly_cost"], "67.718");
    let find = |address: &str| {
        let resources = report["resources"].as_array().unwrap();
        resources
            .iter()
            .find(|one| one["resource_address"] == address)
            .unwrap()
            .clone()
    };
    let nat = find("aws_nat_gateway.n");
    assert_eq!(
        (&nat["status"], &nat["monthly_cost"]),
        (&json!("estimated"), &json!("37.35"))
    );
    assert_eq!(nat["components"][1]["unit_price"], "0.045");
    assert_eq!(find("aws_iam_role.r")["status"], "free");
    assert_eq!(find("other_thing.o")["monthly_cost"], Value::Null);
    assert_eq!(report["counts"]["unsupported"], 1);

    let output = terrane(&["cost", "estimate", "--plan", &plan], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("94.39  USD a month after the apply"),
        "{text}"
    );
    assert!(text.contains("1  resources have no price here"), "{text}");
}

#[test]
fn mistakes_are_said_and_end_with_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.json"), "{}").unwrap();
    for file in ["no.json", "missing.json"] {
        let output = terrane(
            &["cost", "estimate", "--plan", &path(folder.path(), file)],
            &[],
        );
        assert_eq!(output.status.code(), Some(1), "{file}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(file));
    }
}

#[test]
fn a_book_is_made_from_a_list_and_used() {
    let folder = tempfile::tempdir().unwrap();
    write_plan(folder.path());
    let table = "provider,service,region,key,attributes,unit,start_usage,price_usd,effective_date,source,confidence\n\
                 aws,AmazonEC2,us-east-1,ec2.instance,instance_type=t3.large;os=linux;tenancy=shared,hour,0,1,2026-11-01,own,A\n";
    std::fs::write(folder.path().join("own.csv"), table).unwrap();
    let [plan, csv, book] =
        ["plan.json", "own.csv", "own.book"].map(|name| path(folder.path(), name));
    let import = [
        "pricebook",
        "import",
        "--list",
        "table",
        "--output",
        &book,
        &csv,
    ];
    let refused = terrane(&import, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--allow-jumps"));
    assert!(!folder.path().join("own.book").exists());
    let allowed = terrane(&[&import[..], &["--allow-jumps"]].concat(), &[]);
    assert!(allowed.status.success(), "{allowed:?}");
    let output = terrane(
        &[
            "cost", "estimate", "--plan", &plan, "--book", &book, "--json",
        ],
        &[],
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["resources"][1]["resource_address"], "aws_instance.i");
    assert_eq!(
        report["resources"][1]["components"][0]["monthly_cost"],
        "730"
    );
}
