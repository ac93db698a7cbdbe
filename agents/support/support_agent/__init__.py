"""A customer-support agent in five versions: the sample on which demo, tests and tutorials run.

It is a whole agent: a PydanticAI loop with tools over a shop's records, a model that may be real or offline, an HTTP
face, and outcome reports made from the records and never from the HTTP status.
"""
