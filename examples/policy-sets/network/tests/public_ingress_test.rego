package terraform.tests.public_ingress

import data.terraform.policies.public_ingress
import rego.v1

plan_of(ranges) := {"plan": {"resource_changes": [{
	"address": "aws_security_group.it",
	"type": "aws_security_group",
	"change": {"after": {"ingress": [{"cidr_blocks": ranges}]}},
}]}}

parameters := {"everywhere": ["0.0.0.0/0"]}

test_open if {
	public_ingress.deny == {"aws_security_group.it lets 0.0.0.0/0 in"} with input as plan_of(["0.0.0.0/0"]) with data.parameters as parameters
}

test_closed if {
	count(public_ingress.deny) == 0 with input as plan_of(["10.0.0.0/8"]) with data.parameters as parameters
}
