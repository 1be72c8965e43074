version = "v1"

policy "public_buckets" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
