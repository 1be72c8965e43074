# A run that removes many things at once is looked at first.
package terraform

import rego.v1

most := 5

removed := [change.address |
	some change in input.tfplan.resource_changes
	"delete" in change.change.actions
]

deny contains msg if {
	count(removed) > most
	msg := sprintf("%d resources would go, %d may: %s, …", [count(removed), most, concat(", ", array.slice(sort(removed), 0, 3))])
}
