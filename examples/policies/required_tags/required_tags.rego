# Everything that can be tagged says whose it is and who pays for it.
package terraform

import rego.v1

required := {"owner", "cost-center"}

deny contains msg if {
	some change in planned
	tags := change.change.after.tags
	is_object(tags)
	missing := required - object.keys(tags)
	count(missing) > 0
	msg := sprintf("%s lacks the tags %s", [change.address, concat(", ", sort(missing))])
}

deny contains msg if {
	some change in planned
	change.change.after.tags == null
	msg := sprintf("%s has no tags", [change.address])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
