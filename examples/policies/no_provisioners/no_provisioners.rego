# Nothing is run on the machines of others, nor on the runner.
package terraform

import rego.v1

forbidden := {"local-exec", "remote-exec"}

deny contains msg if {
	walk(input.tfplan.configuration.root_module, [_, value])
	some resource in value.resources
	some provisioner in resource.provisioners
	provisioner.type in forbidden
	msg := sprintf("%s runs %s", [resource.address, provisioner.type])
}
