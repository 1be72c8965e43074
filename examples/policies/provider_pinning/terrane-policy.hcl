version = "v1"

policy "provider_pinning" {
  enabled           = true
  enforcement_level = "advisory"
}
