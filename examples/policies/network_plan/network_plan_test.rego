package terraform

import rego.v1

vpc(name, range) := {"address": name, "mode": "managed", "type": "aws_vpc", "change": {"actions": ["create"], "after": {"cidr_block": range}}}

test_planned if {
	count(deny) == 0 with input as {"tfplan": {"resource_changes": [vpc("a", "10.20.0.0/16"), vpc("b", "10.21.0.0/16")]}}
}

test_outside if {
	deny == {"a: 10.0.0.0/16 is outside of 10.20.0.0/14"} with input as {"tfplan": {"resource_changes": [vpc("a", "10.0.0.0/16")]}}
}

test_overlap if {
	deny == {"a and b overlap"} with input as {"tfplan": {"resource_changes": [vpc("a", "10.20.0.0/16"), vpc("b", "10.20.128.0/17")]}}
}
