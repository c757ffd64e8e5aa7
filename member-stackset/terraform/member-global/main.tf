# What member-stackset/member-global.yaml makes, for accounts that no stack set deploys to.

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
  account          = data.aws_caller_identity.here.account_id
  partition        = data.aws_partition.here.partition

  makes_member    = var.member_role_arn == ""
  makes_forwarder = var.forwarder_role_arn == ""

  # What fills the documents. A list stands there as the text between its first and its last quotation mark.
  values = {
    partition          = local.partition
    account            = local.account
    hub_account        = var.hub_account_id
    hub_role_arn       = "arn:${local.partition}:iam::${var.hub_account_id}:role${var.hub_role_path}${var.hub_role_name}"
    hub_bus_arn        = var.hub_bus_arn
    organization       = var.organization_id
    external_id        = var.external_id
    role_path          = var.role_path
    member_role_name   = var.member_role_name
    passable_role_arns = join("\",\"", var.passable_role_arns)
    kms_key_arns       = join("\",\"", var.kms_key_arns)
  }

  # Which documents the member role holds.
  grants = {
    "member"                       = true
    "member-groups-opt-in-tag"     = var.group_guard == "opt-in-tag"
    "member-groups-opt-out-tag"    = var.group_guard == "opt-out-tag"
    "member-groups-none"           = var.group_guard == "none"
    "member-launch-configurations" = var.allow_launch_configurations
    "member-on-demand-fallback"    = var.allow_on_demand_fallback
    "member-ecs-draining"          = var.allow_ecs_draining
    "member-pass-role"             = length(var.passable_role_arns) > 0
    "member-kms"                   = length(var.kms_key_arns) > 0
  }
  granted = toset([for name, granted in local.grants : name if granted && local.makes_member])
}

resource "aws_iam_role" "member" {
  count = local.makes_member ? 1 : 0

  name                 = var.member_role_name
  path                 = var.role_path
  description          = "The hub of spothub works in this account with it"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  assume_role_policy   = templatefile("${local.documents}/member-trust.json", local.values)

  tags = {
    "spothub:template-version" = local.template_version
  }
}

resource "aws_iam_role_policy" "member" {
  for_each = local.granted

  name   = each.key
  role   = aws_iam_role.member[0].name
  policy = templatefile("${local.documents}/${each.key}.json", local.values)
}

resource "aws_iam_role" "forwarder" {
  count = local.makes_forwarder ? 1 : 0

  name                 = var.forwarder_role_name
  path                 = var.role_path
  description          = "EventBridge sends events of this account to the hub of spothub with it"
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  assume_role_policy   = templatefile("${local.documents}/forwarder-trust.json", local.values)

  tags = {
    "spothub:template-version" = local.template_version
  }
}

resource "aws_iam_role_policy" "forwarder" {
  count = local.makes_forwarder ? 1 : 0

  name   = "forwarder"
  role   = aws_iam_role.forwarder[0].name
  policy = templatefile("${local.documents}/forwarder.json", local.values)
}
