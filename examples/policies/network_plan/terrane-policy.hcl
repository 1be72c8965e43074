version = "v1"

policy "network_plan" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
