# The smallest useful configuration: no cloud account and no provider download needed.
#
# The host and the environment come from TF_CLOUD_HOSTNAME and TF_CLOUD_ORGANIZATION, so that this
# works whatever port the control plane listens on.
terraform {
  cloud {
    workspaces {
      name = "hello"
    }
  }
}

variable "greeting" {
  type        = string
  default     = "Hello"
  description = "How to greet."
}

resource "terraform_data" "greeting" {
  input = "${var.greeting} from ${terraform.workspace}"
}

output "greeting" {
  value       = terraform_data.greeting.output
  description = "Known only after the apply has run on the runner."
}
