"""A run with everything it talks to."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from agentrollouts.improver.chat import ChatModel
from agentrollouts.improver.cluster import KubeCluster
from agentrollouts.improver.improve import Run, Terms
from agentrollouts.improver.ledger import LedgerTasks
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.replay_trial import ReplayTrial
from agentrollouts.improver.settings import Settings
from agentrollouts.kube.user import connect
from agentrollouts.replay.recordings import Recordings


async def run(
    settings: Settings,
    rollout: str,
    *,
    dry_run: bool = False,
    namespace: str = "",
    context: str = "",
    kubeconfig: str = "",
) -> Outcome:
    """One run with the rights of the kubeconfig's user, or of the pod.

    Raises:
        ReplayError: the address at which recorded results are to be served can't be had.
        ConflictError, GoneError, TransientError, TerminalError: as the ports say.
    """
    async with AsyncExitStack() as stack:
        recordings = stack.enter_context(Recordings(*settings.listen))
        connection, default = await connect(kubeconfig=kubeconfig, context=context)
        stack.push_async_callback(connection.close)
        tasks = LedgerTasks(url=settings.ledger_url, token=settings.ledger_token)
        stack.push_async_callback(tasks.close)
        model = ChatModel(base_url=settings.base_url, api_key=settings.api_key, model=settings.model)
        stack.push_async_callback(model.close)
        trial = ReplayTrial(settings.trial_url, recordings)
        stack.push_async_callback(trial.close)
        one = Run(
            cluster=KubeCluster(connection, namespace or default),
            tasks=tasks,
            model=model,
            trial=trial,
            terms=Terms(
                canary=secrets.token_hex(16),
                price=settings.price,
                lacking=settings.lacking,
                dry_run=dry_run,
            ),
            now=datetime.now(UTC),
        )
        return await one.improve(rollout)
