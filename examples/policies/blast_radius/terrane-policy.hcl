version = "v1"

policy "blast_radius" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
