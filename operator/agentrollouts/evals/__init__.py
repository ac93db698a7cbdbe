"""Evals before traffic: run a dataset against a version, keep what came of it in one neutral form, and gate on it.

``results``, ``interval``, ``gate`` and what they are shown with are functions of values and know no I/O; ``dataset`` and
``run`` need the extra ``evals``, the targets and ``files`` do I/O.
"""
