# Nobody and everybody are not members of a bucket.
package terraform

import rego.v1

everybody := {"allUsers", "allAuthenticatedUsers"}

members(after) := {after.member} if after.member

members(after) := {member | some member in after.members} if after.members

deny contains msg if {
	some change in planned
	startswith(change.type, "google_storage_bucket_iam")
	open := members(change.change.after) & everybody
	count(open) > 0
	msg := sprintf("%s lets %v in", [change.address, open])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
