# Outputs that sound secret are marked as sensitive.
package terraform

import rego.v1

deny contains msg if {
	some name, output in input.tfplan.planned_values.outputs
	regex.match(`(?i)(password|secret|token|private_key)`, name)
	not output.sensitive
	msg := sprintf("the output %s sounds secret: mark it as sensitive", [name])
}
