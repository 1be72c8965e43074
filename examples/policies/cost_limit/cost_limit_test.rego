package terraform

import rego.v1

test_within if {
	count(deny) == 0 with input as costs("production", 9999.5)
}

test_beyond if {
	deny == {"the workspace would cost 2000.5 a month; 2000 are allowed"} with input as costs("staging", 2000.5)
}

test_unmapped if {
	count(deny) == 1 with input as costs("unmapped", 501)
}

test_no_estimate if {
	count(deny) == 0 with input as {"tfrun": {"cost_estimate": null}}
}

costs(kind, cost) := {"tfrun": {"workspace": {"environment_type": kind}, "cost_estimate": {"proposed_monthly_cost": cost}}}
