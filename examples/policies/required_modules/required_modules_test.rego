package terraform

import rego.v1

test_by_hand if {
	count(deny) == 1 with input as {"tfplan": {"resource_changes": [db(null)]}}
}

test_by_module if {
	count(deny) == 0 with input as {"tfplan": {"resource_changes": [db("module.database[0]")]}}
}

db(module_address) := {"address": "aws_db_instance.it", "module_address": module_address, "mode": "managed", "type": "aws_db_instance", "change": {"actions": ["create"], "after": {}}}
