version = "v1"

policy "cost_limit" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
