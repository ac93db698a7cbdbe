"""Which model each step of each agent uses, in one place; a lint for names elsewhere, and a sentinel for models that drift."""
