"""What a request can be told besides an answer. The message is a sentence for whoever sent it, without a user's data.

RequestError            400  the request is wrong: what was expected, what was seen, what to do
NotFoundError           404
EvidenceExistsError     409
TooLargeError           413
RedactionError          422
StorageUnavailableError 503  of the database, in `database.py`
NotAllowedError     401/403  of the token, in `rights.py`
"""

from __future__ import annotations


class RequestError(Exception):
    """The request can't be read, now or ever."""


class NotFoundError(Exception):
    """There is no such task or evidence, or none that this token may see."""


class EvidenceExistsError(Exception):
    """Another bundle is kept for this attempt, and evidence never changes."""


class TooLargeError(Exception):
    """The body is larger than may be sent."""


class RedactionError(Exception):
    """The redaction failed, so nothing of what was given may be stored."""
