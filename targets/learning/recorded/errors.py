"""Why nothing can be learned, and the limits of what is read."""

from __future__ import annotations

from typing import Final

INPUT_BYTES: Final = 64 * 1024 * 1024
BODY_CHARS: Final = 2_000_000
"""Of one body that is looked into."""
ENTRIES: Final = 5_000
EVENTS: Final = 5_000
LEAVES: Final = 20_000
"""Values of one document, or of the first documents of a stream together, that are looked at."""
URL_CHARS: Final = 4_000


class LearnError(ValueError):
    """The input is of no use; the message says what is wrong and what to do."""
