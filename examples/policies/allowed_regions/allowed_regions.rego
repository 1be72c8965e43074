# Providers work in the regions we have a contract for.
package terraform

import rego.v1

allowed := {"eu-central-1", "eu-west-1"}

region(expression) := expression.constant_value

region(expression) := value if {
	not expression.constant_value
	some reference in expression.references
	startswith(reference, "var.")
	value := input.tfplan.variables[trim_prefix(reference, "var.")].value
}

deny contains msg if {
	some key, provider in input.tfplan.configuration.provider_config
	provider.name == "aws"
	where := region(provider.expressions.region)
	not where in allowed
	msg := sprintf("provider %s works in %s", [key, where])
}

deny contains msg if {
	some key, provider in input.tfplan.configuration.provider_config
	provider.name == "aws"
	not provider.expressions.region
	msg := sprintf("provider %s says no region", [key])
}
