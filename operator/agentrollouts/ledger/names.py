"""The form that names of namespaces and Rollouts have."""

from __future__ import annotations

import re
from typing import Final

DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""To be matched as a whole."""
