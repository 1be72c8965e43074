# Ports for administration are closed to strangers, as single ports and inside of ranges.
package terraform

import rego.v1

ports := {"SSH": 22, "RDP": 3389}

deny contains msg if {
	some change in planned
	change.type == "aws_security_group"
	some rule in change.change.after.ingress
	some range in rule.cidr_blocks
	not inside(range)
	some name, port in ports
	rule.from_port <= port
	rule.to_port >= port
	msg := sprintf("%s opens %s (%d) to %s", [change.address, name, port, range])
}

inside(range) if {
	some private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
	net.cidr_contains(private, range)
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
