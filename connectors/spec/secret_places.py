"""Where in a target a secret may stand: in what is sent to the target, and in no name, no address and no event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.opaque.uses import Kind, MisuseError, expressions, kind_of_expression
from connectors.template_text import blanked, is_one_expression

if TYPE_CHECKING:
    from connectors.spec.handshake import AskSpec
    from connectors.spec.request import CodecStep, RequestSpec

MOST_CHARS: Final = 20_000
"""Of all expressions of a target that name a secret: they are read whenever the target is."""
KEYS: Final = {"passphrase", "key", "iv"}
ENCRYPTING: Final = frozenset({"cryptojs-aes", "aes-cbc", "aes-gcm"})
OWN_CODECS: Final = ENCRYPTING | {"base64", "gzip", "json-field", "text", "stomp"}
ALLOWED: Final = "put it into a header, the query (behind a ? that stands in the text), the body or a codec's key"


class SecretPlaces:
    """Each method raises ValueError naming the place of a secret that stands where it must not, or is used as it must
    not be."""

    def __init__(self) -> None:
        self._chars = 0

    def kinds(self, value: Any, where: str) -> Iterator[tuple[Kind, int, str, str]]:
        """Of all expressions in `value`, however deep: kind, where it begins in its text, that text, and its place."""
        stack = [(value, where)]
        while stack:
            item, place = stack.pop()
            if isinstance(item, str):
                for at, text in expressions(item):
                    yield self._kind(text, place), at, item, place
            elif isinstance(item, dict):
                stack.extend((inner, f"{place}.{key}") for key, inner in item.items())
            elif isinstance(item, list):
                stack.extend((inner, f"{place}[{i}]") for i, inner in enumerate(item))

    def _kind(self, text: str, place: str) -> Kind:
        self._chars += len(text)
        if self._chars > MOST_CHARS:
            raise ValueError(f"{place}: the expressions with secrets have more than {MOST_CHARS:,} characters in all")
        try:
            return kind_of_expression(text)
        except MisuseError as exc:
            raise ValueError(f"{place}: {exc}") from None

    def anywhere(self, value: Any, where: str) -> Kind:
        """Checks a value in which secrets may stand, and returns what is in it."""
        found = Kind.CLEAN
        for kind, _, text, place in self.kinds(value, where):
            if kind >= Kind.HOLDER and not is_one_expression(text):
                raise ValueError(f"{place}: a list or an object with a secret stands in a text: put tojson behind it")
            found = max(found, kind)
        return found

    def nowhere(self, value: Any, where: str, what: str) -> None:
        for kind, _, _, place in self.kinds(value, where):
            if kind:
                raise ValueError(f"{place}: a secret cannot stand in {what}: {ALLOWED}")

    def in_query(self, value: str, where: str) -> None:
        """A path or a URL. What stands before the expression decides, and not what the expression makes."""
        query = blanked(value).find("?")
        for kind, at, _, place in self.kinds(value, where):
            if kind and not 0 <= query < at:
                raise ValueError(f"{place}: a secret cannot stand in a path or an address: {ALLOWED}")

    def request(self, spec: RequestSpec, where: str) -> Kind:
        """Returns what is in its body."""
        self.in_query(spec.path, f"{where}.path")
        self.headers(spec.headers, where)
        self.nowhere(spec.event, f"{where}.event", "the name of an event")
        return self.body(spec, where)

    def body(self, spec: RequestSpec | AskSpec, where: str) -> Kind:
        """Returns what is in it."""
        found = self.anywhere(spec.body, f"{where}.body")
        return Kind.ENCODED if found and spec.encoding == "form" else found

    def headers(self, headers: dict[str, str], where: str) -> None:
        for name, text in headers.items():
            if name.lower() in {"host", ":authority"}:
                self.nowhere(text, f"{where}.headers.{name}", "the name of a host")
            for kind, _, _, place in self.kinds(text, f"{where}.headers.{name}"):
                if kind >= Kind.HOLDER:
                    raise ValueError(f"{place}: a header takes a text: put tojson behind the list or object")

    def codec(self, step: CodecStep, where: str) -> bool:
        """Whether its key is a secret."""
        if step.name not in OWN_CODECS:
            return bool(self.anywhere(step.options, where))
        secret = {name for name, value in step.options.items() if self._is_key(name, value, f"{where}.options.{name}")}
        if "iv" in secret and "key" not in secret:
            # An IV shows in the first block for whoever knows the key.
            raise ValueError(f"{where}.options.iv: a secret can be the iv only where the key is a secret too")
        return bool(secret)

    def _is_key(self, name: str, value: Any, where: str) -> bool:
        found = False
        for kind, _, text, place in self.kinds(value, where):
            if not kind:
                continue
            if name not in KEYS or not isinstance(value, str):
                raise ValueError(f"{place}: a secret cannot stand in this option: {ALLOWED}")
            _check_as_it_is(kind, text, place, "a codec's key")
            found = True
        return found

    def as_it_is(self, value: str, where: str) -> bool:
        """A text that is used to sign, and not sent. Whether it is a secret."""
        found = False
        for kind, _, text, place in self.kinds(value, where):
            if kind:
                _check_as_it_is(kind, text, place, "a key that signs")
                found = True
        return found

    def packed(self, steps: Sequence[CodecStep], body: Kind) -> None:
        """What codecs make of a body with a secret must be a secret's known form, or unreadable."""
        base64 = 0
        for i, step in enumerate(steps):
            with_secret = self.codec(step, f"codec.request[{i}]")
            if not body or step.name not in OWN_CODECS:
                continue
            if step.name == "gzip":
                raise ValueError("codec.request: gzip cannot pack a body with a secret: its size would tell about it")
            if step.name in ENCRYPTING and not with_secret:
                raise ValueError(
                    "codec.request: a body with a secret can be encrypted only with a key that is a secret"
                )
            base64 += step.name == "base64"
        if base64 > (0 if body is Kind.ENCODED or body is Kind.HOLDER_OF_ENCODED else 1):
            raise ValueError("codec.request: a secret in the body would be encoded twice: take one encoding out")


def _check_as_it_is(kind: Kind, text: str, place: str, what: str) -> None:
    if kind is not Kind.WHOLE or not is_one_expression(text):
        raise ValueError(f"{place}: {what} is a secret as it is, with nothing joined to it or done to it")
