variable "hub_account_id" {
  description = "The account of the hub."
  type        = string
}

variable "hub_role_name" {
  description = "The hub's role, whose sessions may assume the member role."
  type        = string
  default     = "spothub-hub"
}

variable "hub_role_path" {
  description = "The path of the hub's role."
  type        = string
  default     = "/"
}

variable "organization_id" {
  description = "The organization that whoever assumes the member role must be in."
  type        = string
}

variable "external_id" {
  description = "What the hub says when it assumes the member role. Configuration, the same in the whole organization; no secret."
  type        = string
}

variable "hub_bus_arn" {
  description = "The hub's event bus, the output BusArn of the hub's stack."
  type        = string
}

variable "member_role_name" {
  description = "The name of the role that the hub assumes."
  type        = string
  default     = "spothub-member"
}

variable "member_role_arn" {
  description = "A role that is there already, where roles may not be made; the hub finds it by name and path. Empty makes one."
  type        = string
  default     = ""
}

variable "forwarder_role_name" {
  description = "The name of the role that EventBridge sends with; the hub's bus knows senders by it."
  type        = string
  default     = "spothub-forwarder"
}

variable "forwarder_role_arn" {
  description = "A role that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "role_path" {
  description = "The path of both roles."
  type        = string
  default     = "/"
}

variable "permissions_boundary_arn" {
  description = "A permissions boundary for both roles. Empty is none."
  type        = string
  default     = ""
}

variable "passable_role_arns" {
  description = "Roles of instance profiles that may be passed to newcomers, by ARN; * may stand for the account and in the name. Empty passes none, and groups with a profile are held."
  type        = list(string)
  default     = []
}

variable "allow_on_demand_fallback" {
  description = "Whether an instance that AWS takes back may be replaced by one on demand. Otherwise that is left to the group."
  type        = bool
  default     = false
}

variable "allow_launch_configurations" {
  description = "Whether instances may be launched without a launch template, for groups with launch configurations."
  type        = bool
  default     = false
}

variable "allow_ecs_draining" {
  description = "Whether container instances of ECS clusters may be looked at and drained before they go. Otherwise groups that serve a cluster are held."
  type        = bool
  default     = false
}

variable "group_guard" {
  description = "Which groups may be changed. Those with the tag spothub:enabled=true, all but those where it says anything else, or all."
  type        = string
  default     = "opt-in-tag"

  validation {
    condition     = contains(["opt-in-tag", "opt-out-tag", "none"], var.group_guard)
    error_message = "One of opt-in-tag, opt-out-tag, none."
  }
}

variable "kms_key_arns" {
  description = "Customer-managed keys of volumes that newcomers need; their policies need policies/iam/volume-key.json. Empty is none."
  type        = list(string)
  default     = []
}
