# A workspace costs no more a month than its kind of environment allows.
package terraform

import rego.v1

limits := {"production": 10000, "staging": 2000, "development": 500}

default limit := 500

limit := limits[input.tfrun.workspace.environment_type]

deny contains msg if {
	cost := input.tfrun.cost_estimate.proposed_monthly_cost
	cost > limit
	msg := sprintf("the workspace would cost %v a month; %v are allowed", [cost, limit])
}
