# Load balancers speak TLS; on port 80 they only send elsewhere.
package terraform

import rego.v1

redirects(after) if {
	some action in after.default_action
	action.type == "redirect"
}

deny contains msg if {
	some change in planned
	change.type in {"aws_lb_listener", "aws_alb_listener"}
	change.change.after.protocol == "HTTP"
	not redirects(change.change.after)
	msg := sprintf("%s serves plain HTTP on port %v", [change.address, change.change.after.port])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
