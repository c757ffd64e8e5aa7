"""The templates and IAM documents that are rolled out, held to one another and judged."""
