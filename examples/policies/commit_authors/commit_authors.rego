# Commits carry an address of our own.
package terraform

import rego.v1

deny contains msg if {
	author := input.tfrun.vcs.commit.author
	not endswith(lower(author.email), "@example.com")
	msg := sprintf("the commit is by %s <%s>", [author.name, author.email])
}
