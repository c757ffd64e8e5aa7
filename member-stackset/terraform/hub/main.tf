# What member-stackset/hub.yaml makes: what comes in, what is kept, and who acts. What runs is in service.tf.

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

data "aws_region" "here" {}

locals {
  documents        = "${path.module}/../../../policies/iam"
  template_version = "1"
  patterns         = jsondecode(file("${path.module}/../../events.json"))
  account          = data.aws_caller_identity.here.account_id
  partition        = data.aws_partition.here.partition
  region           = data.aws_region.here.name
  boundary         = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  key              = var.kms_key_arn == "" ? null : var.kms_key_arn
  tags             = { "spothub:template-version" = local.template_version }

  has_image     = var.image_uri != ""
  has_dashboard = local.has_image && var.dashboard == "on"
  has_metering  = local.has_image && var.metering_mode != "off"

  makes_hub_role       = var.hub_role_arn == ""
  makes_execution_role = local.has_image && var.hub_execution_role_arn == ""
  makes_dashboard_role = local.has_dashboard && var.dashboard_role_arn == ""
  makes_metering_role  = local.has_metering && var.metering_role_arn == ""
  makes_schedule_role  = local.has_metering && var.metering_schedule_role_arn == ""

  table  = var.table_name == "" ? "spothub" : var.table_name
  bucket = var.policy_bucket_name == "" ? "spothub-policy-${local.account}-${local.region}" : var.policy_bucket_name

  hub_role       = local.makes_hub_role ? aws_iam_role.hub[0].arn : var.hub_role_arn
  execution_role = local.makes_execution_role ? aws_iam_role.execution[0].arn : var.hub_execution_role_arn
  dashboard_role = local.makes_dashboard_role ? aws_iam_role.dashboard[0].arn : var.dashboard_role_arn
  metering_role  = local.makes_metering_role ? aws_iam_role.metering[0].arn : var.metering_role_arn
  schedule_role  = local.makes_schedule_role ? aws_iam_role.schedule[0].arn : var.metering_schedule_role_arn

  lanes = {
    urgent = { about = "Instances that AWS takes back, for the workers", age = 300, kept = 345600 }
    normal = { about = "Changes of instances and groups, for the workers", age = 3600, kept = 345600 }
    probe  = { about = "What spothub doctor sent to itself", age = 300, kept = 3600 }
  }

  log_group        = "/spothub/hub"
  own_repositories = ["arn:${local.partition}:ecr:*:*:repository/*spothub*"]
  repositories     = length(var.image_repository_arns) > 0 ? var.image_repository_arns : local.own_repositories

  # What fills the documents. A list stands there as the text between its first and its last quotation mark.
  values = {
    partition             = local.partition
    region                = local.region
    account               = local.account
    hub_account           = local.account
    organization          = var.organization_id
    member_role_path      = var.member_role_path
    member_role_name      = var.member_role_name
    forwarder_role_path   = var.forwarder_role_path
    forwarder_role_name   = var.forwarder_role_name
    hub_bus_arn           = aws_cloudwatch_event_bus.hub.arn
    hub_bus_name          = aws_cloudwatch_event_bus.hub.name
    urgent_queue_arn      = aws_sqs_queue.lane["urgent"].arn
    normal_queue_arn      = aws_sqs_queue.lane["normal"].arn
    probe_queue_arn       = aws_sqs_queue.lane["probe"].arn
    urgent_dead_arn       = aws_sqs_queue.dead["urgent"].arn
    normal_dead_arn       = aws_sqs_queue.dead["normal"].arn
    probe_dead_arn        = aws_sqs_queue.dead["probe"].arn
    table_arn             = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${local.table}"
    policy_bucket         = local.bucket
    policy_parameter      = var.policy_parameter_name
    operator_arns         = join("\",\"", var.operator_arns)
    image_repository_arns = join("\",\"", local.repositories)
    log_group_arn         = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
  }

  tasks_trust     = templatefile("${local.documents}/hub-trust.json", local.values)
  operators_trust = templatefile("${local.documents}/operator-trust.json", local.values)
  hub_trust = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      jsondecode(local.tasks_trust).Statement,
      length(var.operator_arns) > 0 ? jsondecode(local.operators_trust).Statement : [],
    )
  })
}

# What comes in: members send to the bus, three rules sort it into queues.

resource "aws_cloudwatch_event_bus" "hub" {
  name = "spothub"
}

resource "aws_cloudwatch_event_bus_policy" "hub" {
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  policy         = templatefile("${local.documents}/bus.json", local.values)
}

resource "aws_cloudwatch_event_rule" "lane" {
  for_each = local.lanes

  name           = "spothub-${each.key}"
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  description    = "${each.value.about} (template ${local.template_version})"
  state          = "ENABLED"
  event_pattern  = jsonencode(local.patterns[each.key])
}

resource "aws_cloudwatch_event_target" "lane" {
  for_each = local.lanes

  rule           = aws_cloudwatch_event_rule.lane[each.key].name
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  target_id      = "queue"
  arn            = aws_sqs_queue.lane[each.key].arn

  retry_policy {
    maximum_event_age_in_seconds = each.value.age
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead[each.key].arn
  }
}

resource "aws_sqs_queue" "lane" {
  for_each = local.lanes

  name                       = "spothub-${each.key}"
  message_retention_seconds  = each.value.kept
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = local.key == null ? true : null
  kms_master_key_id          = local.key

  # A message comes again only while the store cannot be written, so 50 times are some 50 minutes.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = 50
  })
}

resource "aws_sqs_queue_policy" "lane" {
  for_each = local.lanes

  queue_url = aws_sqs_queue.lane[each.key].id
  policy = templatefile("${local.documents}/queue.json", {
    queue_arn = aws_sqs_queue.lane[each.key].arn
    rule_arn  = aws_cloudwatch_event_rule.lane[each.key].arn
  })
}

resource "aws_sqs_queue" "dead" {
  for_each = local.lanes

  name                      = "spothub-${each.key}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = local.key == null ? true : null
  kms_master_key_id         = local.key

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${local.region}:${local.account}:spothub-${each.key}"]
  })
}

resource "aws_sqs_queue_policy" "dead" {
  for_each = local.lanes

  queue_url = aws_sqs_queue.dead[each.key].id
  policy = templatefile("${local.documents}/dead-letter.json", {
    queue_arn = aws_sqs_queue.dead[each.key].arn
    rule_arns = aws_cloudwatch_event_rule.lane[each.key].arn
  })
}

# What is kept.

resource "aws_dynamodb_table" "store" {
  count = var.table_name == "" ? 1 : 0

  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = true
  hash_key                    = "p"
  range_key                   = "k"

  attribute {
    name = "p"
    type = "S"
  }

  attribute {
    name = "k"
    type = "S"
  }

  ttl {
    attribute_name = "x"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "server_side_encryption" {
    for_each = local.key == null ? [] : [local.key]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket = local.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket = aws_s3_bucket.policy[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket = aws_s3_bucket.policy[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket                  = aws_s3_bucket.policy[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket = aws_s3_bucket.policy[0].id

  rule {
    bucket_key_enabled = local.key != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.key == null ? "AES256" : "aws:kms"
      kms_master_key_id = local.key
    }
  }
}

resource "aws_s3_bucket_policy" "policy" {
  count = var.policy_bucket_name == "" ? 1 : 0

  bucket = aws_s3_bucket.policy[0].id
  policy = templatefile("${local.documents}/bucket.json", local.values)
}

# Who acts.

resource "aws_iam_role" "hub" {
  count = local.makes_hub_role ? 1 : 0

  name                 = var.hub_role_name
  path                 = var.role_path
  description          = "The workers of spothub, and who works as the hub by hand"
  max_session_duration = 3600
  permissions_boundary = local.boundary
  assume_role_policy   = local.hub_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy" "hub" {
  count = local.makes_hub_role ? 1 : 0

  name   = "hub"
  role   = aws_iam_role.hub[0].name
  policy = templatefile("${local.documents}/hub.json", local.values)
}

resource "aws_iam_role" "execution" {
  count = local.makes_execution_role ? 1 : 0

  name                 = "spothub-hub-execution"
  path                 = var.role_path
  description          = "ECS pulls the image of spothub and writes its logs with it"
  permissions_boundary = local.boundary
  assume_role_policy   = local.tasks_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy" "execution" {
  count = local.makes_execution_role ? 1 : 0

  name   = "hub-execution"
  role   = aws_iam_role.execution[0].name
  policy = templatefile("${local.documents}/hub-execution.json", local.values)
}

resource "aws_iam_role" "dashboard" {
  count = local.makes_dashboard_role ? 1 : 0

  name                 = "spothub-dashboard"
  path                 = var.role_path
  description          = "The dashboard of spothub, which only reads"
  permissions_boundary = local.boundary
  assume_role_policy   = local.tasks_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy" "dashboard" {
  count = local.makes_dashboard_role ? 1 : 0

  name   = "dashboard"
  role   = aws_iam_role.dashboard[0].name
  policy = templatefile("${local.documents}/dashboard.json", local.values)
}

resource "aws_iam_role" "metering" {
  count = local.makes_metering_role ? 1 : 0

  name                 = "spothub-metering"
  path                 = var.role_path
  description          = "The hourly task of spothub that reports usage"
  permissions_boundary = local.boundary
  assume_role_policy   = local.tasks_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy" "metering" {
  count = local.makes_metering_role ? 1 : 0

  name   = "metering"
  role   = aws_iam_role.metering[0].name
  policy = templatefile("${local.documents}/metering.json", local.values)
}

resource "aws_iam_role" "schedule" {
  count = local.makes_schedule_role ? 1 : 0

  name                 = "spothub-metering-schedule"
  path                 = var.role_path
  description          = "EventBridge starts the hourly task of spothub with it"
  permissions_boundary = local.boundary
  assume_role_policy   = templatefile("${local.documents}/metering-schedule-trust.json", local.values)
  tags                 = local.tags
}

resource "aws_iam_role_policy" "schedule" {
  count = local.makes_schedule_role ? 1 : 0

  name = "metering-schedule"
  role = aws_iam_role.schedule[0].name
  policy = templatefile("${local.documents}/metering-schedule.json", merge(local.values, {
    cluster_arn            = aws_ecs_cluster.hub[0].arn
    hub_execution_role_arn = local.execution_role
    metering_role_arn      = local.metering_role
  }))
}
