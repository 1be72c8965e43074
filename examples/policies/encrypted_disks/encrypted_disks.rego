# Disks and databases are encrypted.
package terraform

import rego.v1

switch := {
	"aws_ebs_volume": "encrypted",
	"aws_db_instance": "storage_encrypted",
	"aws_rds_cluster": "storage_encrypted",
	"aws_efs_file_system": "encrypted",
}

deny contains msg if {
	some change in planned
	name := switch[change.type]
	not change.change.after[name]
	not name in object.keys(object.get(change.change, "after_unknown", {}))
	msg := {"msg": sprintf("%s: set %s", [change.address, name]), "address": change.address}
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
