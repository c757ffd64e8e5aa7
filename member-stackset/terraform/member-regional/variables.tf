variable "hub_bus_arn" {
  description = "The hub's event bus, the output BusArn of the hub's stack."
  type        = string
}

variable "forwarder_role_name" {
  description = "The role that EventBridge sends with, made by member-global in the same account."
  type        = string
  default     = "spothub-forwarder"
}

variable "role_path" {
  description = "The path of that role."
  type        = string
  default     = "/"
}

variable "forwarder_role_arn" {
  description = "A role to use instead, where roles may not be made. Empty takes the one named above."
  type        = string
  default     = ""
}

variable "dead_letter_kms_key_arn" {
  description = "A key for events that could not be sent; its policy needs policies/iam/dead-letter-key.json. Empty takes SQS's own encryption."
  type        = string
  default     = ""
}
