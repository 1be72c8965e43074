package terraform

import rego.v1

test_agreed if {
	count(deny) == 0 with input as plan_of("azurerm_linux_virtual_machine", {"size": "Standard_B2s"})
}

test_gpu if {
	deny == {"azurerm_linux_virtual_machine.it has the size Standard_NC6"} with input as plan_of("azurerm_linux_virtual_machine", {"size": "Standard_NC6"})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
