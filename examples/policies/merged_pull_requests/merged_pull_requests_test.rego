package terraform

import rego.v1

test_merged if {
	count(deny) == 0 with input as request({"number": 7, "merged_by": "ada", "merge_error": null})
}

test_open if {
	deny == {"pull request 7 is not merged"} with input as request({"number": 7, "merged_by": null, "merge_error": null})
}

test_conflict if {
	count(deny) == 2 with input as request({"number": 7, "merged_by": null, "merge_error": "conflicts"})
}

test_from_the_cli if {
	count(deny) == 0 with input as {"tfrun": {"is_dry": false, "vcs": null}}
}

request(of) := {"tfrun": {"is_dry": false, "vcs": {"pull_request": of}}}
