package terraform

import rego.v1

test_agreed if {
	count(deny) == 0 with input as plan_of("google_compute_instance", {"machine_type": "e2-medium"})
}

test_other_family if {
	deny == {"google_compute_instance.it is of family a3; use e2 or n2"} with input as plan_of("google_compute_instance", {"machine_type": "a3-highgpu-8g"})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
