package terraform

import rego.v1

test_pinned if {
	count(deny) == 0 with input as {"tfplan": {"configuration": {"provider_config": {"aws": {"version_constraint": "~> 5.0"}}}}}
}

test_unpinned if {
	deny == {"provider aws has no version constraint"} with input as {"tfplan": {"configuration": {"provider_config": {"aws": {"name": "aws"}}}}}
}
