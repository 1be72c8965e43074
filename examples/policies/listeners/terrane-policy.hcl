version = "v1"

policy "listeners" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
