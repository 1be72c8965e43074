# Every bucket has its encryption configured beside it.
package terraform

import rego.v1

encrypted contains bucket if {
	some change in planned
	change.type == "aws_s3_bucket_server_side_encryption_configuration"
	bucket := change.name
}

deny contains msg if {
	some change in planned
	change.type == "aws_s3_bucket"
	not change.name in encrypted
	msg := sprintf("%s has no encryption configuration of its name", [change.address])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
