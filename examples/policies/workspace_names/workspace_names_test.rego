package terraform

import rego.v1

test_good if {
	count(deny) == 0 with input as {"tfrun": {"workspace": {"name": "net-core1-prod"}}}
}

test_bad if {
	deny == {"Test is not named TEAM-SYSTEM-STAGE"} with input as {"tfrun": {"workspace": {"name": "Test"}}}
}
