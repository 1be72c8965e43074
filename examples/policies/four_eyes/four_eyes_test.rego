package terraform

import rego.v1

run(author, merger) := {"tfrun": {"workspace": {"environment_type": "production"}, "vcs": {"pull_request": {"author": author, "merged_by": merger}}}}

test_two if {
	count(deny) == 0 with input as run("ada", "bob")
}

test_one if {
	deny == {"ada merged a pull request of their own"} with input as run("ada", "ada")
}
