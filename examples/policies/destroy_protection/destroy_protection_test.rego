package terraform

import rego.v1

change_of(kind, actions) := {"tfplan": {"resource_changes": [{"address": "x.it", "type": kind, "change": {"actions": actions}}]}}

test_destroyed if {
	deny == {"x.it would be destroyed with its data"} with input as change_of("aws_db_instance", ["delete"])
}

test_updated if {
	count(deny) == 0 with input as change_of("aws_db_instance", ["update"])
}

test_other if {
	count(deny) == 0 with input as change_of("aws_instance", ["delete"])
}
