# What runs, and what wakes somebody.

locals {
  # Settings of the workers, as `spothub config example` explains them.
  settings = {
    SPOTHUB_HUB_ID                = var.hub_id
    SPOTHUB_HOME_REGION           = local.region
    SPOTHUB_MEMBER_ROLE           = "arn:${local.partition}:iam::{account}:role${var.member_role_path}${var.member_role_name}"
    SPOTHUB_EXTERNAL_ID           = var.external_id
    SPOTHUB_REGIONS               = join(",", var.regions)
    SPOTHUB_ACCOUNTS_FROM         = var.accounts_from
    SPOTHUB_ACCOUNTS_UNITS        = join(",", var.accounts_units)
    SPOTHUB_ACCOUNTS_ONLY         = join(",", var.accounts_only)
    SPOTHUB_ACCOUNTS_WITHOUT      = join(",", var.accounts_without)
    SPOTHUB_QUEUES_URGENT         = aws_sqs_queue.lane["urgent"].id
    SPOTHUB_QUEUES_NORMAL         = aws_sqs_queue.lane["normal"].id
    SPOTHUB_QUEUES_PROBE          = aws_sqs_queue.lane["probe"].id
    SPOTHUB_HUB_BUS               = aws_cloudwatch_event_bus.hub.arn
    SPOTHUB_STORE                 = "dynamodb:${local.table}"
    SPOTHUB_POLICIES              = "ssm:${var.policy_parameter_name}"
    SPOTHUB_GROUP_GUARD           = var.group_guard
    SPOTHUB_PASSABLE_ROLES        = join(",", var.passable_role_arns)
    SPOTHUB_ON_DEMAND_FALLBACK    = tostring(var.allow_on_demand_fallback)
    SPOTHUB_LAUNCH_CONFIGURATIONS = tostring(var.allow_launch_configurations)
    SPOTHUB_ECS_DRAINING          = tostring(var.allow_ecs_draining)
    SPOTHUB_LISTEN                = "127.0.0.1:9090"
    SPOTHUB_LOG_FORMAT            = "json"
  }

  shared_settings = {
    SPOTHUB_HUB_ID      = var.hub_id
    SPOTHUB_HOME_REGION = local.region
    SPOTHUB_STORE       = "dynamodb:${local.table}"
  }

  metering_settings = merge(local.shared_settings, {
    SPOTHUB_METERING_MODE = var.metering_mode
  })

  # The same of every container: no user that is root, nothing to write on, no capabilities.
  container = {
    image                  = var.image_uri
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
  }

  logs = {
    for name in ["worker", "dashboard", "metering"] : name => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = local.log_group
        awslogs-region        = local.region
        awslogs-stream-prefix = name
        mode                  = "non-blocking"
        max-buffer-size       = "4m"
      }
    }
  }

  dead_queues = merge(
    { for lane in keys(local.lanes) : lane => aws_sqs_queue.dead[lane].name },
    local.has_metering ? { metering = aws_sqs_queue.metering_dead[0].name } : {},
  )
  waits = {
    urgent = { age = 60, period = 60, about = "A warning waits for longer than a minute of its two; workers are down, or too few." }
    normal = { age = 900, period = 300, about = "Events wait for longer than a quarter of an hour; workers are down, or too few." }
  }
  tell = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

resource "aws_ecs_cluster" "hub" {
  count = local.has_image ? 1 : 0

  name = "spothub"
}

resource "aws_cloudwatch_log_group" "hub" {
  count = local.has_image ? 1 : 0

  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key
}

resource "aws_ecs_task_definition" "worker" {
  count = local.has_image ? 1 : 0

  family                   = "spothub-worker"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = local.execution_role
  task_role_arn            = local.hub_role

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([merge(local.container, {
    name = "worker"
    # It finishes the steps in hand within 28 seconds.
    stopTimeout      = 40
    command          = ["run"]
    logConfiguration = local.logs["worker"]
    environment      = [for name, value in local.settings : { name = name, value = value }]
    healthCheck = {
      command     = ["CMD", "/usr/local/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/healthz"]
      interval    = 30
      timeout     = 5
      retries     = 3
      startPeriod = 180
    }
  })])
}

resource "aws_ecs_service" "worker" {
  count = local.has_image ? 1 : 0

  name                               = "spothub-worker"
  cluster                            = aws_ecs_cluster.hub[0].arn
  task_definition                    = aws_ecs_task_definition.worker[0].arn
  launch_type                        = "FARGATE"
  desired_count                      = var.worker_count
  deployment_minimum_healthy_percent = 50
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip == "ENABLED"
  }
}

resource "aws_ecs_task_definition" "dashboard" {
  count = local.has_dashboard ? 1 : 0

  family                   = "spothub-dashboard"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "256"
  memory                   = "512"
  execution_role_arn       = local.execution_role
  task_role_arn            = local.dashboard_role

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([merge(local.container, {
    name             = "dashboard"
    command          = ["dashboard"]
    logConfiguration = local.logs["dashboard"]
    environment      = [for name, value in local.shared_settings : { name = name, value = value }]
  })])
}

resource "aws_ecs_service" "dashboard" {
  count = local.has_dashboard ? 1 : 0

  name            = "spothub-dashboard"
  cluster         = aws_ecs_cluster.hub[0].arn
  task_definition = aws_ecs_task_definition.dashboard[0].arn
  launch_type     = "FARGATE"
  desired_count   = 1

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip == "ENABLED"
  }
}

resource "aws_ecs_task_definition" "metering" {
  count = local.has_metering ? 1 : 0

  family                   = "spothub-metering"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "256"
  memory                   = "512"
  execution_role_arn       = local.execution_role
  task_role_arn            = local.metering_role

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([merge(local.container, {
    name             = "metering"
    entryPoint       = ["/usr/local/bin/spothub-metering"]
    logConfiguration = local.logs["metering"]
    environment      = [for name, value in local.metering_settings : { name = name, value = value }]
  })])
}

resource "aws_cloudwatch_event_rule" "metering" {
  count = local.has_metering ? 1 : 0

  name                = "spothub-metering"
  description         = "Starts the hourly task of spothub that reports closed hours (template ${local.template_version})"
  state               = "ENABLED"
  schedule_expression = "cron(7 * * * ? *)"
}

resource "aws_cloudwatch_event_target" "metering" {
  count = local.has_metering ? 1 : 0

  rule      = aws_cloudwatch_event_rule.metering[0].name
  target_id = "metering"
  arn       = aws_ecs_cluster.hub[0].arn
  role_arn  = local.schedule_role

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.metering[0].arn
    launch_type         = "FARGATE"
    task_count          = 1

    network_configuration {
      subnets          = var.subnet_ids
      security_groups  = var.security_group_ids
      assign_public_ip = var.assign_public_ip == "ENABLED"
    }
  }

  # The next hour's task takes over what this one left.
  retry_policy {
    maximum_event_age_in_seconds = 1800
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.metering_dead[0].arn
  }
}

resource "aws_sqs_queue" "metering_dead" {
  count = local.has_metering ? 1 : 0

  name                      = "spothub-metering-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = local.key == null ? true : null
  kms_master_key_id         = local.key
}

resource "aws_sqs_queue_policy" "metering_dead" {
  count = local.has_metering ? 1 : 0

  queue_url = aws_sqs_queue.metering_dead[0].id
  policy = templatefile("${local.documents}/dead-letter.json", {
    queue_arn = aws_sqs_queue.metering_dead[0].arn
    rule_arns = aws_cloudwatch_event_rule.metering[0].arn
  })
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  for_each = local.dead_queues

  alarm_name          = "spothub-${each.key}-dead"
  alarm_description   = "Messages lie in the queue ${each.value}; their attributes say why."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}

resource "aws_cloudwatch_metric_alarm" "age" {
  for_each = local.waits

  alarm_name          = "spothub-${each.key}-age"
  alarm_description   = each.value.about
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.lane[each.key].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.age
  period              = each.value.period
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}

# Each task gives one sample of its CPU a minute, so their number is the number of tasks.
resource "aws_cloudwatch_metric_alarm" "workers" {
  count = local.has_image ? 1 : 0

  alarm_name          = "spothub-workers"
  alarm_description   = "Fewer workers run than worker_count says."
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = "spothub", ServiceName = "spothub-worker" }
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = var.worker_count
  period              = 60
  evaluation_periods  = 15
  treat_missing_data  = "breaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}

resource "aws_cloudwatch_metric_alarm" "store" {
  alarm_name          = "spothub-store"
  alarm_description   = "Writes to the store are throttled."
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  dimensions          = { TableName = local.table }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}
