"""Notifiers, one file each and one line in ``COMPOSE``. The only room that sends anything out of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from agentrollouts.api.base import SpecModel
from agentrollouts.api.notify import NOTIFIER_KINDS, NotifierSpec, SlackSpec, WebhookSpec
from agentrollouts.notifiers import slack, webhook
from agentrollouts.notifiers.destinations import Destination, DestinationError, Destinations
from agentrollouts.notifiers.outbound import Outbound
from agentrollouts.notifiers.webhook import Letter
from agentrollouts.ports import Clock, Delivered, Notice, Undelivered


class Compose(Protocol):
    """Makes the request of one kind of notifier."""

    def __call__(self, notice: Notice, spec: SpecModel, to: Destination, *, now: int) -> Letter:
        """The request at Unix time ``now``."""


COMPOSE: Mapping[str, Compose] = MappingProxyType({"webhook": webhook.compose, "slack": slack.compose})
"""The member of a NotifierSpec that is set, to what makes its requests."""
assert tuple(COMPOSE) == NOTIFIER_KINDS


@dataclass(slots=True)
class Notifiers:
    """Implements :class:`agentrollouts.ports.Notifier` for every kind."""

    destinations: Destinations
    clock: Clock
    outbound: Outbound = field(default_factory=Outbound)

    async def send(self, notice: Notice, *, spec: NotifierSpec) -> Delivered | Undelivered:
        """One try."""
        kind, member = spec.member
        assert isinstance(member, (WebhookSpec, SlackSpec))
        find: Callable[[], Destination] = partial(
            self.destinations.find, member.ref, namespace=notice.namespace
        )
        try:
            to = await self.outbound.in_thread(find)
        except DestinationError as error:
            return Undelivered(str(error))
        told = notice if spec.diff else _without_texts(notice)
        letter = COMPOSE[kind](told, member, to, now=int(self.clock.now().timestamp()))
        return await self.outbound.post(to.url, letter.body, letter.headers)

    async def close(self) -> None:
        """Close every connection."""
        await self.outbound.close()


def _without_texts(notice: Notice) -> Notice:
    return replace(notice, facts=notice.facts.model_copy(update={"diff": ""}))


__all__ = ["COMPOSE", "Destinations", "Notifiers"]
