"""Payload codecs by name. Custom codecs register in the entry point group `tokenburn.codecs` (name = codec, a subclass
of `Codec` that takes its options)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connectors.codecs.base import Codec
from connectors.errors import BadAnswer, BadRequest, TurnError
from connectors.spec import SpecError

__all__ = ["Codec", "codec_names", "make_codec"]

CODECS = {
    "cryptojs-aes": "connectors.codecs.aes:CryptoJsAes",
    "aes-cbc": "connectors.codecs.aes:AesCbc",
    "aes-gcm": "connectors.codecs.aes:AesGcm",
    "base64": "connectors.codecs.plain:Base64",
    "gzip": "connectors.codecs.plain:Gzip",
    "json-field": "connectors.codecs.plain:JsonField",
    "text": "connectors.codecs.plain:PlainText",
    "stomp": "connectors.codecs.stomp:Stomp",
}
ENTRY_POINT_GROUP = "tokenburn.codecs"


def codec_names() -> list[str]:
    """All that a target may name, sorted."""
    return sorted({*CODECS, *_own()})


def make_codec(name: str, options: Mapping[str, Any]) -> Codec:
    """Raises SpecError saying what is wrong with the name or the options, without their values."""
    if path := CODECS.get(name):
        module, _, attribute = path.partition(":")
        made: Codec = getattr(import_module(module), attribute)(options)
        return made
    if name not in _own():
        raise SpecError(f"codec {name!r} is not known: use one of {', '.join(codec_names())}")
    found = _own()[name].load()
    if not _is_codec(found):
        raise SpecError(f"codec {name!r} is not a subclass of connectors.codecs.Codec")
    return Guarded(name, found, options)


def _is_codec(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Codec)


@cache
def _own() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


class Guarded(Codec):
    """A custom codec. An exception of it costs one turn; only its type is reported, because its text may quote the
    message."""

    def __init__(self, name: str, kind: Callable[[Mapping[str, Any]], Codec], options: Mapping[str, Any]) -> None:
        self._name = name
        try:
            self._codec = kind(options)
        except SpecError:
            raise
        except Exception as exc:  # noqa: BLE001  foreign code may raise anything
            raise SpecError(f"codec {name!r} does not accept its options: {type(exc).__name__}") from None

    def encode(self, data: bytes) -> bytes:
        try:
            return self._codec.encode(data)
        except TurnError:
            raise
        except Exception as exc:  # noqa: BLE001  foreign code may raise anything
            raise BadRequest("request_invalid", f"codec {self._name}: {type(exc).__name__}") from None

    def decode(self, data: bytes) -> bytes:
        try:
            return self._codec.decode(data)
        except TurnError:
            raise
        except Exception as exc:  # noqa: BLE001  foreign code may raise anything
            raise BadAnswer("codec_failed", f"{self._name}: {type(exc).__name__}") from None
