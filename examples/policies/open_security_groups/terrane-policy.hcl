version = "v1"

policy "open_security_groups" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
