# Production is changed while somebody is there: Monday to Friday, 8 to 17 o'clock in Berlin.
package terraform

import rego.v1

zone := "Europe/Berlin"

now := time.now_ns()

working_day if time.weekday([now, zone]) in {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}

working_hour if {
	[hour, _, _] := time.clock([now, zone])
	hour >= 8
	hour < 17
}

office_hours if {
	working_day
	working_hour
}

deny contains msg if {
	input.tfrun.workspace.environment_type == "production"
	not input.tfrun.is_dry
	not office_hours
	msg := sprintf("production is changed in office hours, not on a %s at that time", [time.weekday([now, zone])])
}
