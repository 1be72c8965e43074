package terraform

import rego.v1

test_vcs if {
	count(deny) == 0 with input as {"tfrun": {"source": "vcs", "is_dry": false, "workspace": {"environment_type": "production"}}}
}

test_cli if {
	deny == {"a run of production came from cli"} with input as {"tfrun": {"source": "cli", "is_dry": false, "workspace": {"environment_type": "production"}}}
}
