"""Replay before live traffic: recorded tasks done again by the candidate and by the incumbent, without an effect, and compared.

``plan``, ``comparison``, ``structured``, ``text``, ``embedding``, ``calls``, ``disagreement``, ``interval``, ``judge``, ``report`` and ``words``
are functions of values; ``source``, ``records``, ``journal``, ``recordings``, ``progress``, ``agent``, ``lane``, ``run``, ``asking``, ``embed``, ``vectors`` and
``step`` do I/O.
"""
