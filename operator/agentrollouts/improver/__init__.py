"""The improver: writes a better system prompt from what went wrong, tries it, and proposes it. It never promotes anything."""
