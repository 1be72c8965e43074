# Every provider says which versions it was tried with.
package terraform

import rego.v1

deny contains msg if {
	some key, provider in input.tfplan.configuration.provider_config
	not provider.version_constraint
	not startswith(object.get(provider, "full_name", ""), "terraform.io/builtin/")
	msg := sprintf("provider %s has no version constraint", [key])
}
