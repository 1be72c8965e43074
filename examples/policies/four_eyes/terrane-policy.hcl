version = "v1"

policy "four_eyes" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
