version = "v1"

policy "cost_increase" {
  enabled           = true
  enforcement_level = "advisory"
}
