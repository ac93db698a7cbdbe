"""`python -m support_agent`: serve until told to stop, then finish what is running and hand in the last counts."""

from __future__ import annotations

import logging
import sys

import uvicorn

from agentrollouts_kit import load_release
from support_agent.agent import SupportAgent
from support_agent.colleague import Colleague
from support_agent.crashing import crash_now
from support_agent.outcomes import reporting
from support_agent.settings import Settings
from support_agent.web import Web

# Longer than any proxy keeps an idle connection: the side that closes first must be the one that does not send.
_KEEP_ALIVE_SECONDS = 7200
_GRACEFUL_SECONDS = 30
logger = logging.getLogger("support_agent")


def main() -> int:
    """Serve; 2 when the settings are wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = Settings.from_env()
        if settings.crash.when == "start":
            crash_now("SUPPORT_CRASH=start")
        release = load_release()
        agent = (
            Colleague(settings.colleague) if settings.colleague else SupportAgent(settings, release=release)
        )
        app = reporting(Web(agent, settings).app())
    except ValueError as error:
        print(f"support-agent: {error}", file=sys.stderr)
        return 2
    logger.info(
        "serving version %s, profile %s, model %s", settings.version, settings.profile.name, settings.model
    )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
