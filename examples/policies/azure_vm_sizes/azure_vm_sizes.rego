# Sizes of Azure virtual machines, by prefix.
package terraform

import rego.v1

prefixes := {"Standard_B", "Standard_D"}

kinds := {"azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine"}

deny contains msg if {
	some change in planned
	change.type in kinds
	not strings.any_prefix_match(change.change.after.size, prefixes)
	msg := sprintf("%s has the size %s", [change.address, change.change.after.size])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
