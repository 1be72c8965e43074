package terraform

import rego.v1

test_production if {
	count(deny) == 1 with input as {"tfrun": {"is_destroy": true, "workspace": {"environment_type": "production"}}}
}

test_development if {
	count(deny) == 0 with input as {"tfrun": {"is_destroy": true, "workspace": {"environment_type": "development"}}}
}

test_change if {
	count(deny) == 0 with input as {"tfrun": {"is_destroy": false, "workspace": {"environment_type": "production"}}}
}
