# What is applied from a repository was merged before.
package terraform

import rego.v1

deny contains msg if {
	input.tfrun.is_dry == false
	request := input.tfrun.vcs.pull_request
	request != null
	request.merged_by == null
	msg := sprintf("pull request %d is not merged", [request.number])
}

deny contains msg if {
	error := input.tfrun.vcs.pull_request.merge_error
	error != null
	msg := sprintf("the pull request can't be merged: %s", [error])
}
