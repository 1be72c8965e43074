package terraform

import rego.v1

test_private if {
	count(deny) == 0 with input as plan_of("aws_security_group", {"ingress": [{"from_port": 22, "to_port": 22, "cidr_blocks": ["10.1.0.0/16"]}]})
}

test_range if {
	deny == {"aws_security_group.it opens RDP (3389) to 203.0.113.0/24"} with input as plan_of("aws_security_group", {"ingress": [{"from_port": 3000, "to_port": 4000, "cidr_blocks": ["203.0.113.0/24"]}]})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
