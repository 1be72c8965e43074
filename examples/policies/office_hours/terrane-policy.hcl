version = "v1"

policy "office_hours" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
