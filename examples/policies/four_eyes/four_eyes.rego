# Nobody merges a pull request of their own into production.
package terraform

import rego.v1

deny contains msg if {
	input.tfrun.workspace.environment_type == "production"
	request := input.tfrun.vcs.pull_request
	request.author == request.merged_by
	msg := sprintf("%s merged a pull request of their own", [request.author])
}
