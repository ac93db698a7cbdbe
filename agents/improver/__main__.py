"""The improver as an agent of its own: ``python agents/improver ROLLOUT``. What it does is written in ``agentrollouts.improver``."""

from __future__ import annotations

import sys

from agentrollouts.improver.__main__ import main

sys.exit(main())
