package terraform

import rego.v1

test_known if {
	count(deny) == 0 with input as {"tfplan": {"resource_changes": [{"address": "a.b", "provider_name": "registry.opentofu.org/hashicorp/aws"}]}}
}

test_unknown if {
	deny == {"a.b needs the provider someone/thing"} with input as {"tfplan": {"resource_changes": [{"address": "a.b", "provider_name": "registry.terraform.io/someone/thing"}]}}
}
