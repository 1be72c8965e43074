version = "v1"

policy "azure_vm_sizes" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
