version = "v1"

policy "workspace_names" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
