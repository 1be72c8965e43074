package terraform

import rego.v1

test_web if {
	count(deny) == 0 with input as plan_of("aws_security_group", {"ingress": [{"from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]}]})
}

test_everything if {
	deny == {"aws_security_group.it lets everybody in on ports 0 to 65535"} with input as plan_of("aws_security_group", {"ingress": [{"from_port": 0, "to_port": 65535, "cidr_blocks": ["0.0.0.0/0"]}]})
}

test_rule_of_its_own if {
	count(deny) == 1 with input as plan_of("aws_security_group_rule", {"type": "ingress", "from_port": 22, "to_port": 22, "ipv6_cidr_blocks": ["::/0"]})
}

test_out if {
	count(deny) == 0 with input as plan_of("aws_security_group_rule", {"type": "egress", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
