package terraform

import rego.v1

test_new if {
	count(deny) == 0 with input as {"tfplan": {"terraform_version": "1.11.4"}}
}

test_old if {
	deny == {"Terraform 1.5.7 is older than 1.9.0"} with input as {"tfplan": {"terraform_version": "1.5.7"}}
}
