package terraform

import rego.v1

going(n) := {"tfplan": {"resource_changes": [{"address": sprintf("a.b[%d]", [i]), "change": {"actions": ["delete"]}} | some i in numbers.range(1, n)]}}

test_few if {
	count(deny) == 0 with input as going(5)
}

test_many if {
	deny == {"6 resources would go, 5 may: a.b[1], a.b[2], a.b[3], …"} with input as going(6)
}
