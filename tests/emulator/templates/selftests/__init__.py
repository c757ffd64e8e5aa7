"""What must hold of templates and IAM documents."""
