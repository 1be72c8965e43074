package terraform

import rego.v1

test_constant if {
	count(deny) == 0 with input as providers({"aws": {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}}}})
}

test_forbidden if {
	deny == {"provider aws works in us-east-1"} with input as providers({"aws": {"name": "aws", "expressions": {"region": {"constant_value": "us-east-1"}}}})
}

test_variable if {
	deny == {"provider aws.x works in ap-south-1"} with input as providers({"aws.x": {"name": "aws", "expressions": {"region": {"references": ["var.region"]}}}})
}

test_no_region if {
	deny == {"provider aws says no region"} with input as providers({"aws": {"name": "aws", "expressions": {}}})
}

test_other_provider if {
	count(deny) == 0 with input as providers({"google": {"name": "google"}})
}

providers(config) := {"tfplan": {
	"variables": {"region": {"value": "ap-south-1"}},
	"configuration": {"provider_config": config},
}}
