"""Vectors of texts from an endpoint outside. ``answer`` is a function of values, ``openai`` asks, ``endpoint`` says whom; who wants vectors is the replay's business."""
