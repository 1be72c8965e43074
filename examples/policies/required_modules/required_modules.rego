# Databases are made through the module that sets up their backups.
package terraform

import rego.v1

deny contains msg if {
	some change in planned
	change.type == "aws_db_instance"
	not from_module(change)
	msg := sprintf("%s is made by hand: use the module database", [change.address])
}

from_module(change) if regex.match(`^module\.database(\[[^]]+\])?$`, change.module_address)

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
