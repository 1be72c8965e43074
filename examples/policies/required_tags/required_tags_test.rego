package terraform

import rego.v1

test_both_tags if {
	count(deny) == 0 with input as plan_of("aws_instance", {"tags": {"owner": "a", "cost-center": "b"}})
}

test_one_tag_missing if {
	deny == {"aws_instance.it lacks the tags cost-center"} with input as plan_of("aws_instance", {"tags": {"owner": "a"}})
}

test_no_tags_at_all if {
	deny == {"aws_instance.it has no tags"} with input as plan_of("aws_instance", {"tags": null})
}

test_untaggable if {
	count(deny) == 0 with input as plan_of("random_id", {"byte_length": 4})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
