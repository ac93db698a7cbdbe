"""The imperative shell: it watches, asks the core, and does what the plan says."""
