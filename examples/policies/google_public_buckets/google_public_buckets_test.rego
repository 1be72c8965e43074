package terraform

import rego.v1

test_member if {
	deny == {`google_storage_bucket_iam_member.it lets {"allUsers"} in`} with input as plan_of("google_storage_bucket_iam_member", {"member": "allUsers"})
}

test_members if {
	count(deny) == 1 with input as plan_of("google_storage_bucket_iam_binding", {"members": ["user:a@example.com", "allAuthenticatedUsers"]})
}

test_closed if {
	count(deny) == 0 with input as plan_of("google_storage_bucket_iam_binding", {"members": ["user:a@example.com"]})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
