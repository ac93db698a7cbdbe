"""The second demo: an agent that writes better versions of itself, and what keeps the worse ones from its users. ``make demo-learn``."""
