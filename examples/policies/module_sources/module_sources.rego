# Modules come from our own registry, or from the same repository.
package terraform

import rego.v1

allowed := ["registry.example.com/", "./", "../"]

deny contains msg if {
	some name, call in input.tfplan.configuration.root_module.module_calls
	not strings.any_prefix_match(call.source, allowed)
	msg := sprintf("module %s comes from %s", [name, call.source])
}
