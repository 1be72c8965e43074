# No bucket is open to the world.
package terraform

import rego.v1

open_acls := {"public-read", "public-read-write", "authenticated-read"}

switches := ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]

deny contains msg if {
	some change in planned
	change.type in {"aws_s3_bucket", "aws_s3_bucket_acl"}
	change.change.after.acl in open_acls
	msg := sprintf("%s is %s", [change.address, change.change.after.acl])
}

deny contains msg if {
	some change in planned
	change.type == "aws_s3_bucket_public_access_block"
	some switch in switches
	object.get(change.change.after, switch, false) != true
	msg := sprintf("%s leaves %s off", [change.address, switch])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
