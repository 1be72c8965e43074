version = "v1"

policy "production_destroy" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
