# A change that makes a workspace much dearer is worth a second look.
package terraform

import rego.v1

deny contains msg if {
	cost := input.tfrun.cost_estimate
	cost.prior_monthly_cost > 0
	percent := round((cost.delta_monthly_cost * 100) / cost.prior_monthly_cost)
	percent > 25
	msg := sprintf("the monthly cost rises by %d%%", [percent])
}
