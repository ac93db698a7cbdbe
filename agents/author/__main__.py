"""``python -m agents.author``: serve the scripts until SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from agents.author.scripts import SCRIPTS
from agents.author.server import server


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m agents.author", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - a pod is reached from other pods
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    listening = server(given.port, given.host)
    for number in (signal.SIGTERM, signal.SIGINT):
        # NB: shutdown waits for the loop that this handler interrupts.
        signal.signal(number, lambda *_: threading.Thread(target=listening.shutdown).start())
    print(f"port {listening.server_port}: {', '.join(SCRIPTS)}", file=sys.stderr, flush=True)
    listening.serve_forever()
    listening.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
