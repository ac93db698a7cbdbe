"""Container images: built once per content, with an engine or without one, and put into the cluster."""
