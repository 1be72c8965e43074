//! Plans as large clouds make them, out of nothing but a number.

use serde_json::{Value, json};

/// A plan that makes or changes so many resources of the kinds that the example policies look at.
pub(super) fn plan(resources: usize) -> Value {
    let changes: Vec<Value> = (0..resources).map(change).collect();
    json!({
        "format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": changes,
        "planned_values": {"root_module": {"resources": []}},
        "configuration": {"root_module": {}},
    })
}

fn change(at: usize) -> Value {
    let tags = json!({"owner": format!("team-{}", at % 17), "cost-center": "42"});
    let (kind, after) = match at % 4 {
        0 => (
            "aws_instance",
            json!({"instance_type": "t3.large", "region": "us-east-1", "ami": format!("ami-{at:08x}"),
                "tags": tags, "root_block_device": [{"encrypted": true, "volume_size": 20}],
                "user_data": "secret"}),
        ),
        1 => (
            "aws_s3_bucket",
            json!({"bucket": format!("bucket-{at}"), "region": "us-east-1", "tags": tags,
                "acl": "private", "force_destroy": false}),
        ),
        2 => (
            "aws_ebs_volume",
            json!({"size": 100, "type": "gp3", "region": "us-east-1", "encrypted": true,
                "availability_zone": "us-east-1a", "tags": tags}),
        ),
        _ => (
            "aws_security_group",
            json!({"name": format!("sg-{at}"), "tags": tags, "ingress": [
                {"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}]}),
        ),
    };
    let address = format!("module.m{}.{kind}.r{at}", at % 50);
    json!({"address": address, "module_address": format!("module.m{}", at % 50),
        "mode": "managed", "type": kind, "name": format!("r{at}"),
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": ["create"], "before": null, "after": after,
            "after_unknown": {"id": true, "arn": true}, "before_sensitive": false,
            "after_sensitive": {"user_data": true}}})
}
