version = "v1"

policy "terraform_version" {
  enabled           = true
  enforcement_level = "advisory"
}
