# What is deployed on Friday is repaired on Saturday.
package terraform

import rego.v1

deny contains "it is Friday" if {
	time.weekday(time.now_ns()) == "Friday"
	input.tfrun.is_dry == false
}
