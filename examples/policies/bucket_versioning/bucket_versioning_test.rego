package terraform

import rego.v1

test_enabled if {
	count(deny) == 0 with input as plan_of("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Enabled"}]})
}

test_suspended if {
	deny == {"aws_s3_bucket_versioning.it: versioning is suspended"} with input as plan_of("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Suspended"}]})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
