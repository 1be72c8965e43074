package terraform

import rego.v1

production := {"tfrun": {"is_dry": false, "workspace": {"environment_type": "production"}}}

test_tuesday_morning if {
	count(deny) == 0 with input as production with now as 1700553600000000000
}

test_saturday if {
	deny == {"production is changed in office hours, not on a Saturday at that time"} with input as production with now as 1700899200000000000
}

test_night if {
	count(deny) == 1 with input as production with now as 1700604000000000000
}

test_dry_run if {
	count(deny) == 0 with input as {"tfrun": {"is_dry": true, "workspace": {"environment_type": "production"}}} with now as 1700899200000000000
}
