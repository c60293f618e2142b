"""The number of connections that this process may hold open."""

from __future__ import annotations

import resource
from typing import Final

SPARE_FILES: Final = 64
ADVICE: Final = "raise `ulimit -n`, or use more processes"


def most_connections() -> int:
    """After raising the process's limit as far as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(0, hard - SPARE_FILES)
