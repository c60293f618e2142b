"""Where the reference lane may end otherwise than the load lane over HTTP/2: by the behaviour, its codes there.

Its library shows no frames, waits for no settings, and takes a GOAWAY for the end: floods end with a time limit, and
some ends depend on what comes in one read.
"""

from __future__ import annotations

from typing import Final

_FLOODS = ("pings", "settings", "window_updates", "priorities", "unknown_frames", "empty_data", "padding")
REFERENCE: Final[dict[str, tuple[str | None, ...]]] = {
    **{f"http2-{what}_without_end": ("idle_timeout",) for what in _FLOODS},
    "http2-pings_without_end_and_nobody_reads_the_answers": ("header_too_large",),
    "http2-early_hints_without_end": ("header_too_large",),
    "http2-continuation_without_end": ("header_too_large", "http_malformed"),
    "http2-long_headers": ("idle_timeout",),
    "http2-no_status": (None,),
    "http2-no_settings": ("first_byte_timeout",),
    "http2-no_stream_is_allowed": ("first_byte_timeout",),
    "http2-dripping": ("idle_timeout",),
    "http2-closed_before_settings": ("connection_closed", "connection_reset"),
    "http2-closed_before_the_answer": ("connection_closed", "connection_reset"),
    "http2-closed_in_the_body": ("body_truncated", "connection_reset"),
    "http2-goodbye_before_settings": ("http2_refused_stream", "http_malformed"),
    "http2-goaway_and_the_answer_after_it": ("http2_no_error", "http_malformed"),
}
SENT_AGAIN: Final = frozenset({"http2-goodbye_before_settings"})
"""What the target says it has not read."""
