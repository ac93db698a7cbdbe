"""The five-part release: what makes two artifacts the same."""
