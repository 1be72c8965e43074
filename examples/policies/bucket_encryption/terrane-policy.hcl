version = "v1"

policy "bucket_encryption" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
