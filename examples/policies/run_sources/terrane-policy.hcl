version = "v1"

policy "run_sources" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
