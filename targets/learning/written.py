"""Writes recorded values as parts of a mapping: texts that are no templates, paths, literals of expressions."""

from __future__ import annotations

import re
from typing import Any, Final

from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange, Path, words

NOISE: Final = words(
    """
    accept accept-encoding accept-language cache-control connection content-length content-type dnt host origin
    pragma priority referer te upgrade-insecure-requests user-agent x-requested-with content-encoding expect
    upgrade if-none-match if-modified-since transfer-encoding keep-alive
    """
)
OF_TOOLS: Final = (
    "sec-",
    ":",
    "x-forwarded",
    "x-stainless",
    "x-datadog",
    "sentry-",
    "traceparent",
    "tracestate",
    "baggage",
)
"""How headers begin that browsers, proxies, SDKs and tracers add."""
_MARK: Final = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_PLAIN: Final = re.compile(r"[A-Za-z_][\w-]*")
_SPECIAL: Final = re.compile(r"[\\'{}\x00-\x1f]")


def constant(value: Any) -> Any:
    """A recorded value as it is sent again: braces of templates are no templates, and marks become secrets."""
    if isinstance(value, str):
        return _MARK.sub(_expression, value.replace("{{", "{{ '{' }}{{ '{' }}"))
    if isinstance(value, dict):
        return {key: constant(inner) for key, inner in value.items()}
    return [constant(inner) for inner in value] if isinstance(value, list) else value


def _expression(mark: re.Match[str]) -> str:
    """Marks of values that a handshake gives begin with `saved.`."""
    return f"{{{{ {mark[1] if mark[1].startswith('saved.') else f'secret.{mark[1]}'} }}}}"


def own_headers(exchange: Exchange) -> dict[str, str]:
    """Those that are not a browser's or a client's own, as templates."""
    found = {}
    for name, value in exchange.headers:
        low = name.lower()
        both = low == "accept" and "event-stream" in value and "json" in value
        if both or not (low in NOISE or low.startswith(OF_TOOLS)):
            found[name] = constant(value)
    return found


def literal(value: Any) -> str:
    """As an expression writes it. Two braces never follow each other: they would end the expression."""
    if isinstance(value, str):
        return f"'{_SPECIAL.sub(lambda found: f'{chr(92)}x{ord(found[0]):02x}', value)}'"
    if isinstance(value, dict):
        inner = ", ".join(f"{literal(str(key))}: {literal(one)}" for key, one in value.items())
        return f"{{{inner} }}" if inner.endswith("}") else f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def path_text(path: Path) -> str:
    """A response path to the value at `path`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            quoted = key if _PLAIN.fullmatch(key) else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{quoted}" if text else quoted
    return text
