"""Kubernetes: the writes, the lease and the events. The only room that imports the Kubernetes client."""
