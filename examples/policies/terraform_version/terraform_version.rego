# Terraform is not older than the oldest version that gets security fixes.
package terraform

import rego.v1

oldest := "1.9.0"

deny contains msg if {
	used := input.tfplan.terraform_version
	semver.is_valid(used)
	semver.compare(used, oldest) < 0
	msg := sprintf("Terraform %s is older than %s", [used, oldest])
}
