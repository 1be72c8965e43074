package terraform

import rego.v1

test_closed if {
	count(deny) == 0 with input as plan_of("azurerm_storage_account", {"allow_nested_items_to_be_public": false, "min_tls_version": "TLS1_2"})
}

test_defaults_are_open if {
	deny == {"azurerm_storage_account.it allows public items", "azurerm_storage_account.it allows old TLS"} with input as plan_of("azurerm_storage_account", {})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
