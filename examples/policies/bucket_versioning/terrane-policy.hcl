version = "v1"

policy "bucket_versioning" {
  enabled           = true
  enforcement_level = "advisory"
}
