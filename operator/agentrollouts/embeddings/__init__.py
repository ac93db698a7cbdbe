"""Vectors of texts from an endpoint outside. ``answer`` is a function of values, ``openai`` asks; who wants vectors is the replay's business."""
