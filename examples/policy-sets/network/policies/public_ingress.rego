package terraform.policies.public_ingress

import data.terraform.plans
import input.plan
import rego.v1

deny contains msg if {
	some group in plans.planned(plan, "aws_security_group")
	some rule in group.change.after.ingress
	some range in rule.cidr_blocks
	range in data.parameters.everywhere
	msg := sprintf("%s lets %s in", [group.address, range])
}
