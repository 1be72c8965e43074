# Providers come from publishers we trust.
package terraform

import rego.v1

allowed := {"hashicorp/aws", "hashicorp/google", "hashicorp/azurerm", "hashicorp/random"}

deny contains msg if {
	some change in input.tfplan.resource_changes
	parts := split(change.provider_name, "/")
	name := concat("/", array.slice(parts, count(parts) - 2, count(parts)))
	not name in allowed
	name != "builtin/terraform"
	msg := sprintf("%s needs the provider %s", [change.address, name])
}
