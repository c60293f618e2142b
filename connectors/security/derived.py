"""What is made of secrets and sent, as redaction finds it: signed tokens and signatures, new for each request."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_REST: Final = r"(?:[\w.-]|%(?>(?:25)*)(?:2[dDeE]|5[fF])|\\u00(?:2[dDeE]|5[fF]))*"
"""Of a token: its letters as they are, in URLs and in JSON."""
_BASE64_REST: Final = r"(?:[\w+/=-]|%(?>(?:25)*)(?:2[bBfF]|3[dD]))*"


class Form(NamedTuple):
    """Each text that `pattern` finds holds `anchor`."""

    pattern: str
    anchor: str


AWS_SIGNATURE: Final = Form(
    r"Signature(?:=|%(?>(?:25)*)3[dD]|\\u003[dD]|&#(?:x3[dD]|61);)(?>[0-9a-f]{8,64})", "Signature"
)


def forms_of(algorithms: Iterable[str], *, signs: bool) -> tuple[Form, ...]:
    """Of tokens signed by these `algorithms`, also cut off; `signs`: and of AWS signatures."""
    tokens = [form for algorithm in sorted(set(algorithms)) for form in _token_forms(algorithm)]
    return (*tokens, AWS_SIGNATURE) if signs else tuple(tokens)


def beginning_of(algorithm: str) -> str:
    """How all tokens signed by it begin, whatever else their heads say (`connectors.security.jwt`)."""
    return _encoded(f'{{"typ":"JWT","alg":"{algorithm}"'.encode())


@lru_cache
def _token_forms(algorithm: str) -> tuple[Form, ...]:
    begin = beginning_of(algorithm)
    return (Form(begin + _REST, begin), *(Form(text + _BASE64_REST, text) for text in _in_base64(begin.encode())))


def _in_base64(data: bytes) -> Iterator[str]:
    for before in range(3):
        yield _encoded(bytes(before) + data)[-(-8 * before // 6) :]


def _encoded(data: bytes) -> str:
    """The characters that `data` alone determines."""
    return base64.urlsafe_b64encode(data).decode()[: 8 * len(data) // 6]
