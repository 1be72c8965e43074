version = "v1"

policy "secret_outputs" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
