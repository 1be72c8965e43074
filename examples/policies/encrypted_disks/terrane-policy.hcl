version = "v1"

policy "encrypted_disks" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
