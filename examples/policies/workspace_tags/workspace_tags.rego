# A workspace carries the tag of its team, in whichever form tags are given.
package terraform

import rego.v1

teams := {"team:network", "team:data", "team:web"}

tags := {tag | some tag in input.tfrun.workspace.tags} if is_array(input.tfrun.workspace.tags)

tags := object.keys(input.tfrun.workspace.tags) if is_object(input.tfrun.workspace.tags)

deny contains msg if {
	count(tags & teams) != 1
	msg := sprintf("the workspace has %d team tags, it needs one", [count(tags & teams)])
}
