version = "v1"

policy "required_modules" {
  enabled           = true
  enforcement_level = "advisory"
}
