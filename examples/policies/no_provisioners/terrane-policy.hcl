version = "v1"

policy "no_provisioners" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
