"""Where the reference lane may end otherwise than the load lane over HTTP/2: by the behaviour, its codes there.

Some ends depend on what comes in one read.
"""

from __future__ import annotations

from typing import Final

REFERENCE: Final[dict[str, tuple[str | None, ...]]] = {
    "http2-pings_without_end_and_nobody_reads_the_answers": ("http_malformed", "first_byte_timeout"),
    "http2-dripping": ("idle_timeout",),
    "http2-closed_before_the_answer": ("connection_closed", "connection_reset"),
    "http2-closed_in_the_body": ("body_truncated", "connection_reset"),
}
