# No policy of AWS allows everything on everything.
package terraform

import rego.v1

documents contains [change.address, json.unmarshal(change.change.after.policy)] if {
	some change in planned
	change.type in {"aws_iam_policy", "aws_iam_role_policy"}
	json.is_valid(change.change.after.policy)
}

listed(value) := value if is_array(value)

listed(value) := [value] if is_string(value)

deny contains msg if {
	some [address, document] in documents
	some statement in document.Statement
	statement.Effect == "Allow"
	"*" in listed(statement.Action)
	"*" in listed(statement.Resource)
	msg := sprintf("%s allows everything on everything", [address])
}

planned contains change if {
	some change in input.tfplan.resource_changes
	change.mode == "managed"
	some action in change.change.actions
	action in {"create", "update"}
}
