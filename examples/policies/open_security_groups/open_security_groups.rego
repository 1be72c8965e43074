# Only web traffic comes in from everywhere.
package terraform

import rego.v1

public_ports := {80, 443}

everywhere := {"0.0.0.0/0", "::/0"}

rules contains [change.address, rule] if {
	some change in planned
	change.type == "aws_security_group"
	some rule in change.change.after.ingress
}

rules contains [change.address, rule] if {
	some change in planned
	change.type == "aws_security_group_rule"
	change.change.after.type == "ingress"
	rule := change.change.after
}

ranges(rule) := {range | some range in object.get(rule, "cidr_blocks", [])} | {range | some range in object.get(rule, "ipv6_cidr_blocks", [])}

only_public(rule) if {
	rule.from_port == rule.to_port
	rule.from_port in public_ports
}

deny contains msg if {
	some [address, rule] in rules
	count(ranges(rule) & everywhere) > 0
	not only_public(rule)
	msg := sprintf("%s lets everybody in on ports %d to %d", [address, rule.from_port, rule.to_port])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
