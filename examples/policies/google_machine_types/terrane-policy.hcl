version = "v1"

policy "google_machine_types" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
