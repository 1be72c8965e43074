package terraform

import rego.v1

test_tls if {
	count(deny) == 0 with input as plan_of("aws_lb_listener", {"protocol": "HTTPS", "port": 443})
}

test_redirect if {
	count(deny) == 0 with input as plan_of("aws_lb_listener", {"protocol": "HTTP", "port": 80, "default_action": [{"type": "redirect"}]})
}

test_plain if {
	deny == {"aws_lb_listener.it serves plain HTTP on port 8080"} with input as plan_of("aws_lb_listener", {"protocol": "HTTP", "port": 8080, "default_action": [{"type": "forward"}]})
}

plan_of(kind, after) := {"tfplan": {"resource_changes": [{
	"address": sprintf("%s.it", [kind]),
	"mode": "managed",
	"type": kind,
	"name": "it",
	"provider_name": "registry.terraform.io/hashicorp/aws",
	"change": {"actions": ["create"], "before": null, "after": after},
}]}}
