# Modules from a registry say their version, modules from git a tag or a commit.
package terraform

import rego.v1

calls contains {"name": name, "call": call} if {
	walk(input.tfplan.configuration.root_module, [path, value])
	path[count(path) - 1] == "module_calls"
	some name, call in value
}

is_git(source) if startswith(source, "git::")

is_local(source) if startswith(source, "./")

is_local(source) if startswith(source, "../")

deny contains msg if {
	some entry in calls
	not is_git(entry.call.source)
	not is_local(entry.call.source)
	not entry.call.version_constraint
	msg := sprintf("module %s (%s) has no version", [entry.name, entry.call.source])
}

deny contains msg if {
	some entry in calls
	is_git(entry.call.source)
	not regex.match(`[?&]ref=(v[0-9]+\.[0-9]+\.[0-9]+|[0-9a-f]{40})$`, entry.call.source)
	msg := sprintf("module %s (%s) is at no tag", [entry.name, entry.call.source])
}
