output "member_role_arn" {
  description = "The role that the hub assumes."
  value       = local.makes_member ? aws_iam_role.member[0].arn : var.member_role_arn
}

output "forwarder_role_arn" {
  description = "The role that EventBridge sends with."
  value       = local.makes_forwarder ? aws_iam_role.forwarder[0].arn : var.forwarder_role_arn
}

output "template_version" {
  description = "The version of the templates that this stands for."
  value       = local.template_version
}
