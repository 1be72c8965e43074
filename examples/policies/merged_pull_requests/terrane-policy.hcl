version = "v1"

policy "merged_pull_requests" {
  enabled           = true
  enforcement_level = "hard-mandatory"
}
