package terraform

import rego.v1

test_agreed if {
	count(deny) == 0 with input as plan_of("aws_instance", {"instance_type": "t3.micro"})
}

test_too_large if {
	deny == {"aws_instance.it: p5.48xlarge is not an agreed instance type"} with input as plan_of("aws_instance", {"instance_type": "p5.48xlarge"})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
