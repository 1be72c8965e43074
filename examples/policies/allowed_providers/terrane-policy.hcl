version = "v1"

policy "allowed_providers" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
