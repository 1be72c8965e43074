# No single resource is dearer than a small car.
package terraform

import rego.v1

deny contains msg if {
	some resource in input.tfrun.cost_estimate.resources
	cost := to_number(resource.monthly_cost)
	cost > 1000
	msg := sprintf("%s alone costs %v a month", [resource.resource_address, cost])
}
