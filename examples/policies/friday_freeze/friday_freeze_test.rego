package terraform

import rego.v1

friday := 1700784000000000000

monday := 1700438400000000000

test_friday if {
	count(deny) == 1 with time.now_ns as friday with input as {"tfrun": {"is_dry": false}}
}

test_monday if {
	count(deny) == 0 with time.now_ns as monday with input as {"tfrun": {"is_dry": false}}
}
