package terraform

import rego.v1

test_private if {
	count(deny) == 0 with input as plan_of("aws_s3_bucket_acl", {"acl": "private"})
}

test_public if {
	deny == {"aws_s3_bucket.it is public-read"} with input as plan_of("aws_s3_bucket", {"acl": "public-read"})
}

test_half_blocked if {
	found := deny with input as plan_of("aws_s3_bucket_public_access_block", {"block_public_acls": true, "ignore_public_acls": true})
	count(found) == 2
	"aws_s3_bucket_public_access_block.it leaves block_public_policy off" in found
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
