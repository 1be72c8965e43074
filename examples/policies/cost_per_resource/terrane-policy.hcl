version = "v1"

policy "cost_per_resource" {
  enabled           = true
  enforcement_level = "advisory"
}
