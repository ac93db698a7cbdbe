"""Exact sequential tests: they may be looked at after every session, for as long as anybody likes, and their error rates hold."""
