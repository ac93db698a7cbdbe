"""``python -m agentrollouts replay``: the step of a replay before traffic, with the embeddings that it may go by.

Here, because what asks for embeddings is in a room above the replay's.
"""

from __future__ import annotations

import argparse

from agentrollouts.embeddings.endpoint import endpoint_of
from agentrollouts.proving import Proof
from agentrollouts.replay import step
from agentrollouts.replay.comparison import Compare

UNUSABLE = step.UNUSABLE
parsed = step.parsed


async def prove(options: argparse.Namespace) -> Proof:
    """Replay and judge. Raises ReplayError where nobody can say."""
    embedding = endpoint_of(
        Compare(options.compare),
        where=options.embedding_url,
        model=options.embedding_model,
        key_file=options.embedding_key_file,
        timeout=options.task_timeout,
    )
    return await step.prove(options, embedding)
