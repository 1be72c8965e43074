package terraform

import rego.v1

test_small if {
	count(deny) == 0 with input as {"tfrun": {"cost_estimate": {"resources": [{"resource_address": "a.b", "monthly_cost": "999.99"}]}}}
}

test_large if {
	deny == {"a.b alone costs 1200 a month"} with input as {"tfrun": {"cost_estimate": {"resources": [{"resource_address": "a.b", "monthly_cost": "1200"}]}}}
}

test_without_price if {
	count(deny) == 0 with input as {"tfrun": {"cost_estimate": {"resources": [{"resource_address": "a.b", "monthly_cost": null}]}}}
}
