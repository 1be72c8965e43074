# Production is changed from its repository only.
package terraform

import rego.v1

deny contains msg if {
	input.tfrun.workspace.environment_type == "production"
	not input.tfrun.source in {"vcs", "schedule", "run-trigger"}
	not input.tfrun.is_dry
	msg := sprintf("a run of production came from %s", [input.tfrun.source])
}
