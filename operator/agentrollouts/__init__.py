"""Progressive delivery for AI agents on Kubernetes."""
