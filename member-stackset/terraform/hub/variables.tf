variable "hub_id" {
  description = "Names this hub on what it launches (tag spothub:hub)."
  type        = string
  default     = "spothub"
}

variable "organization_id" {
  description = "The organization whose accounts may send events, and be worked in."
  type        = string
}

variable "external_id" {
  description = "What is said when a member role is assumed, as in member-global. Configuration, no secret."
  type        = string
}

variable "regions" {
  description = "The regions that are served."
  type        = list(string)
}

variable "accounts_from" {
  description = "Who tells the accounts that are served. With list, AccountsOnly."
  type        = string
  default     = "organization"

  validation {
    condition     = contains(["organization", "list"], var.accounts_from)
    error_message = "One of organization, list."
  }
}

variable "accounts_units" {
  description = "Units whose accounts are served. Empty is the whole organization."
  type        = list(string)
  default     = []
}

variable "accounts_only" {
  description = "Accounts that are served, beside those of AccountsUnits. Empty limits nothing."
  type        = list(string)
  default     = []
}

variable "accounts_without" {
  description = "Accounts that are never served."
  type        = list(string)
  default     = []
}

variable "member_role_name" {
  description = "The name of the role in members, as in member-global."
  type        = string
  default     = "spothub-member"
}

variable "member_role_path" {
  description = "Its path."
  type        = string
  default     = "/"
}

variable "forwarder_role_name" {
  description = "The name of the role that members' events come with, as in member-global."
  type        = string
  default     = "spothub-forwarder"
}

variable "forwarder_role_path" {
  description = "Its path."
  type        = string
  default     = "/"
}

variable "hub_role_name" {
  description = "The name of the workers' role, which the trust of member roles names."
  type        = string
  default     = "spothub-hub"
}

variable "role_path" {
  description = "The path of all roles of this stack."
  type        = string
  default     = "/"
}

variable "permissions_boundary_arn" {
  description = "A permissions boundary for all roles of this stack. Empty is none."
  type        = string
  default     = ""
}

variable "hub_role_arn" {
  description = "A role for the workers that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "hub_execution_role_arn" {
  description = "A role for ECS to pull the image and write logs that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "dashboard_role_arn" {
  description = "A role for the dashboard that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "metering_role_arn" {
  description = "A role for the metering task that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "metering_schedule_role_arn" {
  description = "A role for EventBridge to start the metering task that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "operator_arns" {
  description = "People and pipelines of this account that may work as the hub (spothub plan, doctor, pause), by role ARN; * may stand in it. Empty is nobody."
  type        = list(string)
  default     = []
}

variable "image_uri" {
  description = "The container image. Empty makes everything but the service, for a hub that is run by hand."
  type        = string
  default     = ""
}

variable "image_repository_arns" {
  description = "The ECR repository of the image. Empty allows all whose name has spothub in it."
  type        = list(string)
  default     = []
}

variable "worker_count" {
  description = "Workers that run side by side."
  type        = number
  default     = 2
}

variable "cpu" {
  description = "CPU units of a task; 1024 are one vCPU."
  type        = string
  default     = "256"

  validation {
    condition     = contains(["256", "512", "1024", "2048", "4096"], var.cpu)
    error_message = "One of 256, 512, 1024, 2048, 4096."
  }
}

variable "memory" {
  description = "MiB of memory of a task; Fargate takes only some with each number of CPU units."
  type        = string
  default     = "512"
}

variable "cpu_architecture" {
  description = "What the image was built for."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "One of ARM64, X86_64."
  }
}

variable "subnet_ids" {
  description = "Subnets of the tasks, with a way to AWS's endpoints. Needed with ImageUri."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Their security groups; nothing needs to come in. Empty takes the default one of the VPC."
  type        = list(string)
  default     = []
}

variable "assign_public_ip" {
  description = "Whether tasks get a public address, where their subnets have no other way out."
  type        = string
  default     = "DISABLED"

  validation {
    condition     = contains(["ENABLED", "DISABLED"], var.assign_public_ip)
    error_message = "One of ENABLED, DISABLED."
  }
}

variable "kms_key_arn" {
  description = "A key for queues, table, bucket and logs; its policy needs policies/iam/key.json. Empty takes AWS's own."
  type        = string
  default     = ""
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "alarm_topic_arn" {
  description = "An SNS topic that alarms tell. Empty tells nobody."
  type        = string
  default     = ""
}

variable "table_name" {
  description = "A table of a hub before this one, to go on with what it knew. Empty makes the table spothub."
  type        = string
  default     = ""
}

variable "policy_bucket_name" {
  description = "A versioned bucket for policy files that is there already. Empty makes one."
  type        = string
  default     = ""
}

variable "policy_parameter_name" {
  description = "The parameter of Systems Manager that says which policy is published. Who publishes makes it; this stack does not."
  type        = string
  default     = "/spothub/policy"
}

variable "group_guard" {
  description = "The guard of groups in members, as in member-global."
  type        = string
  default     = "opt-in-tag"

  validation {
    condition     = contains(["opt-in-tag", "opt-out-tag", "none"], var.group_guard)
    error_message = "One of opt-in-tag, opt-out-tag, none."
  }
}

variable "passable_role_arns" {
  description = "The roles that may be passed in members, as in member-global."
  type        = list(string)
  default     = []
}

variable "allow_on_demand_fallback" {
  description = "Whether newcomers may be on demand in members, as in member-global."
  type        = bool
  default     = false
}

variable "allow_launch_configurations" {
  description = "Whether launch configurations may be launched from in members, as in member-global."
  type        = bool
  default     = false
}

variable "allow_ecs_draining" {
  description = "Whether container instances may be drained in members, as in member-global."
  type        = bool
  default     = false
}

variable "dashboard" {
  description = "Whether the dashboard runs, from the same image; control-plane/docs/dashboard.md says how to reach it."
  type        = string
  default     = "off"

  validation {
    condition     = contains(["off", "on"], var.dashboard)
    error_message = "One of off, on."
  }
}

variable "metering_mode" {
  description = "Whether usage is reported each hour; as a trial it is worked out and never sent. The image needs its listing."
  type        = string
  default     = "off"

  validation {
    condition     = contains(["off", "trial", "marketplace"], var.metering_mode)
    error_message = "One of off, trial, marketplace."
  }
}
