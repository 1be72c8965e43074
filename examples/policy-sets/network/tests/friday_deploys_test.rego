package terraform.tests.friday_deploys

import data.terraform.policies.friday_deploys
import rego.v1

friday := 1700784000000000000

test_friday if {
	count(friday_deploys.deny) == 1 with input as {"run": {"speculative": false}} with time.now_ns as friday
}

test_speculative if {
	count(friday_deploys.deny) == 0 with input as {"run": {"speculative": true}} with time.now_ns as friday
}
