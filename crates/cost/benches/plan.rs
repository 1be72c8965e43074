//! How long a plan takes, and how that grows: one JSON line per size.

use std::time::Instant;

fn main() {
    let started = Instant::now();
    let estimator =
        cost::Estimator::embedded().expect("the book and rules of the binary are whole");
    let loaded = started.elapsed();
    let mut lines = format!(
        "{{\"name\":\"cost_load\",\"value\":{},\"unit\":\"ms\"}}\n",
        loaded.as_millis()
    );
    for size in [1_000_usize, 10_000, 100_000] {
        let document = plan(size);
        let started = Instant::now();
        let plan = cost::Plan::from_reader(document.as_bytes()).expect("the plan is one");
        let estimate = estimator.estimate(&plan, &cost::Usage::default());
        let took = started.elapsed().as_millis();
        lines += &format!("{{\"name\":\"cost_plan_{size}\",\"value\":{took},\"unit\":\"ms\"}}\n");
        assert_eq!(estimate.resources.len(), size);
    }
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, lines.as_bytes()).expect("stdout is open");
}

/// Instances, volumes, databases, addresses and policies in turn.
fn plan(size: usize) -> String {
    let kinds = [
        (
            "aws_instance",
            r#"{"instance_type":"m5.large","region":"us-east-1","tags":{"team":"a"}}"#,
        ),
        (
            "aws_ebs_volume",
            r#"{"type":"gp3","size":100,"region":"us-east-1"}"#,
        ),
        (
            "aws_db_instance",
            r#"{"instance_class":"db.m6g.large","engine":"postgres","allocated_storage":50,"region":"us-east-1"}"#,
        ),
        (
            "azurerm_linux_virtual_machine",
            r#"{"size":"Standard_D2s_v3","location":"West Europe","os_disk":[{"storage_account_type":"Premium_LRS"}]}"#,
        ),
        ("aws_iam_role", "{}"),
    ];
    let changes: Vec<String> = (0..size)
        .map(|index| {
            let (kind, values) = kinds[index % kinds.len()];
            format!(
                r#"{{"address":"{kind}.x[{index}]","mode":"managed","type":"{kind}","name":"x","index":{index},"change":{{"actions":["no-op"],"before":{values},"after":{values},"after_unknown":{{}}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"format_version":"1.2","resource_changes":[{}]}}"#,
        changes.join(",")
    )
}
