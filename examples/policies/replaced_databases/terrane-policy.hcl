version = "v1"

policy "replaced_databases" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
