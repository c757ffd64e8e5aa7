# What member-stackset/member-regional.yaml makes, in the provider's region.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 7.0"
    }
  }
}

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

locals {
  documents        = "${path.module}/../../../policies/iam"
  template_version = "1"
  patterns         = jsondecode(file("${path.module}/../../events.json"))
  account          = data.aws_caller_identity.here.account_id
  partition        = data.aws_partition.here.partition

  named     = "arn:${local.partition}:iam::${local.account}:role${var.role_path}${var.forwarder_role_name}"
  forwarder = var.forwarder_role_arn == "" ? local.named : var.forwarder_role_arn

  # Seconds after which an event is not worth sending any more: a warning is two minutes long, and the hub looks at
  # everything by itself within the hour.
  lanes = {
    urgent = { about = "Instances that AWS takes back, for the hub of spothub", age = 300 }
    normal = { about = "Changes of instances and groups, for the hub of spothub", age = 3600 }
    probe  = { about = "What spothub doctor sends to itself through the hub's bus", age = 300 }
  }
}

resource "aws_cloudwatch_event_rule" "lane" {
  for_each = local.lanes

  name          = "spothub-${each.key}"
  description   = "${each.value.about} (template ${local.template_version})"
  state         = "ENABLED"
  event_pattern = jsonencode(local.patterns[each.key])
}

resource "aws_cloudwatch_event_target" "hub" {
  for_each = local.lanes

  rule      = aws_cloudwatch_event_rule.lane[each.key].name
  target_id = "hub"
  arn       = var.hub_bus_arn
  role_arn  = local.forwarder

  retry_policy {
    maximum_event_age_in_seconds = each.value.age
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "spothub-forward-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.dead_letter_kms_key_arn == "" ? true : null
  kms_master_key_id         = var.dead_letter_kms_key_arn == "" ? null : var.dead_letter_kms_key_arn
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy = templatefile("${local.documents}/dead-letter.json", {
    queue_arn = aws_sqs_queue.dead_letters.arn
    rule_arns = join("\",\"", [for lane in keys(local.lanes) : aws_cloudwatch_event_rule.lane[lane].arn])
  })
}
