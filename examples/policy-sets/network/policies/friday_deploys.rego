package terraform.policies.friday_deploys

import input.run
import rego.v1

deny contains "it is Friday" if {
	not run.speculative
	time.weekday(time.now_ns()) == "Friday"
}
