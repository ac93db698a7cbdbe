"""``agentrollout``, the same as ``kubectl agentrollout``: shows rollouts and asks for things, with the user's own rights.

It is no second way in: everything it does is a read, or an annotation that ``kubectl annotate`` could write as well.
"""
