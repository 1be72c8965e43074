# Storage accounts of Azure speak TLS 1.2 and show nothing to strangers.
package terraform

import rego.v1

deny contains msg if {
	some change in planned
	change.type == "azurerm_storage_account"
	object.get(change.change.after, "allow_nested_items_to_be_public", true)
	msg := sprintf("%s allows public items", [change.address])
}

deny contains msg if {
	some change in planned
	change.type == "azurerm_storage_account"
	not change.change.after.min_tls_version in {"TLS1_2", "TLS1_3"}
	msg := sprintf("%s allows old TLS", [change.address])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
