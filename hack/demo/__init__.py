"""The demo: one agent, four versions, real traffic, on a real cluster. Run by ``make demo``."""
