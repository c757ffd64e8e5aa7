output "dead_letter_queue_url" {
  description = "Where events end that could not be sent to the hub."
  value       = aws_sqs_queue.dead_letters.id
}

output "template_version" {
  description = "The version of the templates that this stands for."
  value       = local.template_version
}
