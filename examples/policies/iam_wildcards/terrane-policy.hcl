version = "v1"

policy "iam_wildcards" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
