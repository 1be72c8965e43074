package terraform

import rego.v1

policy(statement) := plan_of("aws_iam_policy", {"policy": json.marshal({"Statement": [statement]})})

test_everything if {
	deny == {"aws_iam_policy.it allows everything on everything"} with input as policy({"Effect": "Allow", "Action": "*", "Resource": ["*"]})
}

test_one_action if {
	count(deny) == 0 with input as policy({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"})
}

test_denial if {
	count(deny) == 0 with input as policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
}

test_no_json if {
	count(deny) == 0 with input as plan_of("aws_iam_policy", {"policy": "(sensitive)[00]"})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
