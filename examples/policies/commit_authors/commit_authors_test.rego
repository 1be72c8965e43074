package terraform

import rego.v1

test_ours if {
	count(deny) == 0 with input as {"tfrun": {"vcs": {"commit": {"author": {"name": "Ada", "email": "Ada@Example.com"}}}}}
}

test_foreign if {
	deny == {"the commit is by Eve <eve@evil.example>"} with input as {"tfrun": {"vcs": {"commit": {"author": {"name": "Eve", "email": "eve@evil.example"}}}}}
}
