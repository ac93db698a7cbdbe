"""One HTTP request, while it is answered: what the record of its task takes for input and output where the agent tells none."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import Any

from agentrollouts_kit.capture import CapturedBody, Onlooker
from agentrollouts_kit.records import ABSENT, Body, Draft
from agentrollouts_kit.room import MAX_RECORD_BYTES, truncated


class Exchange(Onlooker):
    """The record's side of a request. Its first task gets the bodies; a body beyond what a record holds is told by its size only."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        super().__init__(scope, max_request_bytes=MAX_RECORD_BYTES, max_answer_bytes=MAX_RECORD_BYTES)
        self._lock = threading.Lock()
        self._claimed = self._over = False
        self._held: Draft | None = None

    def claim(self) -> bool:
        """Whether the task that asks is the request's first one."""
        with self._lock:
            first, self._claimed = not self._claimed, True
            return first

    def hold(self, draft: Draft) -> bool:
        """Keep the record of the task, which has ended, until the answer is out; False when it is out already."""
        with self._lock:
            if not self._over:
                self._held = draft
                return True
        self._fill(draft)
        return False

    def end(self) -> Draft | None:
        """The request is over. The record that was held for it, complete now."""
        with self._lock:
            self._over = True
            held, self._held = self._held, None
        if held is not None:
            self._fill(held)
        return held

    def _fill(self, draft: Draft) -> None:
        if draft.input is ABSENT:
            draft.input = _body(draft, self._request, self._scope["headers"])
        if draft.output is ABSENT:
            draft.output = _body(draft, self._answer, self._start.get("headers", ()))


def _body(draft: Draft, body: CapturedBody, headers: Any) -> object:
    if not body.fits:
        draft.room.cut = True
        return truncated(body.size)
    found = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in headers}
    content = body.whole()
    if content is None or b"content-encoding" in found:
        return None
    return Body(content, found.get(b"content-type", ""))
