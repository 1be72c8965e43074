package terraform

import rego.v1

test_alone if {
	deny == {"aws_s3_bucket.it has no encryption configuration of its name"} with input as plan_of("aws_s3_bucket", {})
}

test_together if {
	one := plan_of("aws_s3_bucket", {}).tfplan.resource_changes
	other := plan_of("aws_s3_bucket_server_side_encryption_configuration", {}).tfplan.resource_changes
	count(deny) == 0 with input as {"tfplan": {"resource_changes": array.concat(one, other)}}
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
