package terraform

import rego.v1

test_known if {
	count(deny) == 0 with input as plan_of("aws_vpc", {"tags": {"environment": "staging"}})
}

test_unknown if {
	some msg in deny with input as plan_of("aws_vpc", {"tags": {"environment": "prod"}})
	startswith(msg, "aws_vpc.it ")
	contains(msg, `environment is "prod"`)
}

test_absent if {
	count(deny) == 0 with input as plan_of("aws_vpc", {"tags": {}})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
