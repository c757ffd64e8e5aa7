"""CloudFormation of our own: templates, stacks, change sets and stack sets (P9, P10). moto's is not used at all."""
