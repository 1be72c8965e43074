version = "v1"

policy "instance_types" {
  enabled           = true
  enforcement_level = "soft-mandatory"
}
