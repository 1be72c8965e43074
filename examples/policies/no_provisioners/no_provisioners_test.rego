package terraform

import rego.v1

test_none if {
	count(deny) == 0 with input as {"tfplan": {"configuration": {"root_module": {"resources": [{"address": "a.b", "provisioners": [{"type": "file"}]}]}}}}
}

test_in_a_module if {
	deny == {"a.b runs local-exec"} with input as {"tfplan": {"configuration": {"root_module": {"module_calls": {"m": {"module": {"resources": [{"address": "a.b", "provisioners": [{"type": "local-exec"}]}]}}}}}}}
}
