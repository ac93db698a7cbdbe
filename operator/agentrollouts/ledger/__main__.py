"""``python -m agentrollouts.ledger``: the task ledger."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 2 for settings that can't be used, or without the extra `ledger`."""
    try:
        from agentrollouts.ledger.serve import serve
        from agentrollouts.ledger.settings import parse
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "agentrollouts":
            raise
        print(f"the ledger needs {error.name}: install agent-rollouts[ledger]", file=sys.stderr)
        return 2
    try:
        settings = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    serve(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
