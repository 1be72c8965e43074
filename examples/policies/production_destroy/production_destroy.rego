# Production is not destroyed as a whole.
package terraform

import rego.v1

deny contains "a production workspace is not destroyed: change its environment type first" if {
	input.tfrun.is_destroy
	input.tfrun.workspace.environment_type == "production"
}
