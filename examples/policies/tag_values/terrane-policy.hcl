version = "v1"

policy "tag_values" {
  enabled           = true
  enforcement_level = "advisory"
}
