package terraform

import rego.v1

test_encrypted if {
	count(deny) == 0 with input as plan_of("aws_ebs_volume", {"encrypted": true})
}

test_not_encrypted if {
	deny == {{"msg": "aws_db_instance.it: set storage_encrypted", "address": "aws_db_instance.it"}} with input as plan_of("aws_db_instance", {"storage_encrypted": false})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
