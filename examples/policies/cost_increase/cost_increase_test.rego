package terraform

import rego.v1

test_little if {
	count(deny) == 0 with input as {"tfrun": {"cost_estimate": {"prior_monthly_cost": 100, "delta_monthly_cost": 25}}}
}

test_much if {
	deny == {"the monthly cost rises by 50%"} with input as {"tfrun": {"cost_estimate": {"prior_monthly_cost": 100, "delta_monthly_cost": 50.2}}}
}

test_new if {
	count(deny) == 0 with input as {"tfrun": {"cost_estimate": {"prior_monthly_cost": 0, "delta_monthly_cost": 50}}}
}
