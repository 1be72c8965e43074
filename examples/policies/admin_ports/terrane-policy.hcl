version = "v1"

policy "admin_ports" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
