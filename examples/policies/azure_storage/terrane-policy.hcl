version = "v1"

policy "azure_storage" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
