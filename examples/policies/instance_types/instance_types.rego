# Virtual machines come in sizes that were agreed upon.
package terraform

import rego.v1

allowed := {"t3.micro", "t3.small", "t3.medium", "m6i.large"}

deny contains msg if {
	some change in planned
	change.type == "aws_instance"
	kind := change.change.after.instance_type
	not kind in allowed
	msg := sprintf("%s: %s is not an agreed instance type", [change.address, kind])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
