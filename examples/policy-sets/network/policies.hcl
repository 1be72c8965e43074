policy "public_ingress" {
  description       = "Security groups let nobody in from everywhere."
  query             = "data.terraform.policies.public_ingress.deny"
  enforcement_level = "mandatory"
}

policy "friday_deploys" {
  description       = "Nothing is applied on a Friday."
  query             = "data.terraform.policies.friday_deploys.deny"
  enforcement_level = "advisory"
}
