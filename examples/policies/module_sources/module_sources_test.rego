package terraform

import rego.v1

test_ours if {
	count(deny) == 0 with input as {"tfplan": {"configuration": {"root_module": {"module_calls": {"a": {"source": "registry.example.com/net/vpc/aws"}}}}}}
}

test_foreign if {
	deny == {"module a comes from github.com/x/y"} with input as {"tfplan": {"configuration": {"root_module": {"module_calls": {"a": {"source": "github.com/x/y"}}}}}}
}
