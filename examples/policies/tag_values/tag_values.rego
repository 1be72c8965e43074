# The tag `environment` has one of the known values.
package terraform

import rego.v1

allowed := ["development", "staging", "production"]

deny contains msg if {
	some change in planned
	value := change.change.after.tags.environment
	not value in allowed
	msg := sprintf("%-40s environment is %q, not one of %v", [change.address, value, allowed])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
