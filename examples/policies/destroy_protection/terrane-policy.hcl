version = "v1"

policy "destroy_protection" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
