package terraform.plans

import rego.v1

# Resources that will exist after the apply, by type.
planned(plan, kind) := {change |
	some change in plan.resource_changes
	change.type == kind
	change.change.after != null
}
