"""The release artifact: five parts as canonical documents under one digest; how they are built, kept, moved and compared."""
