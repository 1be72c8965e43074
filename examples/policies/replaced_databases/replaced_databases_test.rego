package terraform

import rego.v1

test_replaced if {
	deny == {"a.b would be replaced because of engine, storage.0.type"} with input as {"tfplan": {"resource_changes": [{"address": "a.b", "type": "aws_db_instance", "change": {"actions": ["delete", "create"], "replace_paths": [["engine"], ["storage", 0, "type"]]}}]}}
}

test_created if {
	count(deny) == 0 with input as {"tfplan": {"resource_changes": [{"address": "a.b", "type": "aws_db_instance", "change": {"actions": ["create"]}}]}}
}
