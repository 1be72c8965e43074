# Networks lie within the ranges that are planned for us, and don't overlap each other.
package terraform

import rego.v1

ours := "10.20.0.0/14"

networks[change.address] := change.change.after.cidr_block if {
	some change in planned
	change.type == "aws_vpc"
}

deny contains msg if {
	some address, range in networks
	not net.cidr_contains(ours, range)
	msg := sprintf("%s: %s is outside of %s", [address, range, ours])
}

deny contains msg if {
	some one, range in networks
	some other, another in networks
	one < other
	net.cidr_intersects(range, another)
	msg := sprintf("%s and %s overlap", [one, other])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
