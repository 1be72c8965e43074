package terraform

import rego.v1

test_pinned if {
	count(deny) == 0 with input as calling({
		"a": {"source": "terraform-aws-modules/vpc/aws", "version_constraint": "5.1.0"},
		"b": {"source": "git::https://git.example.com/m.git?ref=v1.2.3"},
		"c": {"source": "./local"},
	})
}

test_no_version if {
	deny == {"module a (terraform-aws-modules/vpc/aws) has no version"} with input as calling({"a": {"source": "terraform-aws-modules/vpc/aws"}})
}

test_branch if {
	count(deny) == 1 with input as calling({"a": {"source": "git::https://git.example.com/m.git?ref=main"}})
}

test_below if {
	count(deny) == 1 with input as calling({"a": {"source": "./local", "module": {"module_calls": {"b": {"source": "x/y/z"}}}}})
}

calling(calls_of) := {"tfplan": {"configuration": {"root_module": {"module_calls": calls_of}}}}
