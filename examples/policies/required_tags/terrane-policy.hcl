version = "v1"

policy "required_tags" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
