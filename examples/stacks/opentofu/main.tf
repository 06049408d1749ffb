# A configuration that needs no provider from a registry: two resources that only live in the state.
terraform {
  required_version = ">= 1.6"
}

variable "greeting" {
  type    = string
  default = "Hello"
}

resource "terraform_data" "greeting" {
  input = var.greeting
}

resource "terraform_data" "written" {
  triggers_replace = terraform_data.greeting.output

  provisioner "local-exec" {
    command = "echo '${terraform_data.greeting.output} from OpenTofu'"
  }
}

output "greeting" {
  value = terraform_data.greeting.output
}
