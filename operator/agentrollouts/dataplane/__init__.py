"""The built-in router: a pure core that turns routes and endpoints into Envoy's files, and a sidecar that keeps them true.

Nothing here talks to the operator: a router pod needs the API server to learn of changes, and nobody at all
to go on serving the last good configuration.
"""
