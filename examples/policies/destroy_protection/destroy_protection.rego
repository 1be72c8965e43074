# What holds data is not destroyed by a run.
package terraform

import rego.v1

kept := {"aws_db_instance", "aws_s3_bucket", "aws_dynamodb_table", "google_sql_database_instance"}

deny contains msg if {
	some change in input.tfplan.resource_changes
	change.type in kept
	change.change.actions == ["delete"]
	msg := sprintf("%s would be destroyed with its data", [change.address])
}
