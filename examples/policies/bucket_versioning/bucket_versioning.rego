# Versioning of buckets is on.
package terraform

import rego.v1

deny contains msg if {
	some change in planned
	change.type == "aws_s3_bucket_versioning"
	some configuration in change.change.after.versioning_configuration
	lower(configuration.status) != "enabled"
	msg := sprintf("%s: versioning is %s", [change.address, lower(configuration.status)])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
