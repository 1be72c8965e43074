# Machine families of Google Cloud that were agreed upon.
package terraform

import rego.v1

families := ["e2", "n2"]

deny contains msg if {
	some change in planned
	change.type == "google_compute_instance"
	family := split(change.change.after.machine_type, "-")[0]
	not family in families
	msg := sprintf("%s is of family %s; use %s", [change.address, family, concat(" or ", families)])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
