version = "v1"

policy "workspace_tags" {
  enabled           = true
  enforcement_level = "advisory"
}
