"""The resources users write, as pydantic models: the only definition, from which ``crds/`` is generated."""
