version = "v1"

policy "module_pinning" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
