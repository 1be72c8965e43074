version = "v1"

policy "module_sources" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
