# Workspaces are named TEAM-SYSTEM-STAGE.
package terraform

import rego.v1

deny contains msg if {
	name := input.tfrun.workspace.name
	not regex.match(`^[a-z]+-[a-z0-9]+-(dev|test|prod)$`, name)
	msg := sprintf("%s is not named TEAM-SYSTEM-STAGE", [name])
}
