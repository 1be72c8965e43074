version = "v1"

policy "commit_authors" {
  enabled           = true
  enforcement_level = "advisory"
}
