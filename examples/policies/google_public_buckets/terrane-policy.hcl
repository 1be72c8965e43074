version = "v1"

policy "google_public_buckets" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
