package terraform

import rego.v1

test_marked if {
	count(deny) == 0 with input as {"tfplan": {"planned_values": {"outputs": {"db_password": {"sensitive": true}}}}}
}

test_open if {
	deny == {"the output Api_Token sounds secret: mark it as sensitive"} with input as {"tfplan": {"planned_values": {"outputs": {"Api_Token": {"sensitive": false}}}}}
}
