# A database that would be replaced loses its data.
package terraform

import rego.v1

kinds := {"aws_db_instance", "aws_rds_cluster", "azurerm_mssql_database", "google_sql_database_instance"}

deny contains msg if {
	some change in input.tfplan.resource_changes
	change.type in kinds
	{"create", "delete"} == {action | some action in change.change.actions}
	why := concat(", ", [concat(".", [sprintf("%v", [part]) | some part in path]) | some path in object.get(change.change, "replace_paths", [])])
	msg := sprintf("%s would be replaced because of %s", [change.address, why])
}
