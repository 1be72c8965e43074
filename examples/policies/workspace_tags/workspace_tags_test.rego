package terraform

import rego.v1

test_list if {
	count(deny) == 0 with input as {"tfrun": {"workspace": {"tags": ["team:web", "x"]}}}
}

test_map if {
	count(deny) == 0 with input as {"tfrun": {"workspace": {"tags": {"team:web": ""}}}}
}

test_none if {
	deny == {"the workspace has 0 team tags, it needs one"} with input as {"tfrun": {"workspace": {"tags": []}}}
}
