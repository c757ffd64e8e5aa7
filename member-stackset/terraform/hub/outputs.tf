output "bus_arn" {
  description = "Where members send their events; a parameter of both member templates."
  value       = aws_cloudwatch_event_bus.hub.arn
}

output "urgent_queue_url" {
  description = "The setting queues.urgent."
  value       = aws_sqs_queue.lane["urgent"].id
}

output "normal_queue_url" {
  description = "The setting queues.normal."
  value       = aws_sqs_queue.lane["normal"].id
}

output "probe_queue_url" {
  description = "The setting queues.probe."
  value       = aws_sqs_queue.lane["probe"].id
}

output "table_name" {
  description = "The table of the setting store, after dynamodb:."
  value       = local.table
}

output "hub_role_arn" {
  description = "The setting hub-role."
  value       = local.hub_role
}

output "policy_bucket" {
  description = "Where policy files are put, version by version."
  value       = local.bucket
}

output "policy_parameter" {
  description = "The parameter of the setting policies, after ssm:."
  value       = var.policy_parameter_name
}

output "template_version" {
  description = "The version of this template."
  value       = local.template_version
}
