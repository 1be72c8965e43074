version = "v1"

policy "friday_freeze" {
  enabled           = true
  enforcement_level = "advisory"
}
