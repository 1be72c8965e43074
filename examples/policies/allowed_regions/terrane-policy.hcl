version = "v1"

policy "allowed_regions" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
