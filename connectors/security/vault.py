"""A target's secrets, which leave it only for a transport: in the place of their tokens, and to an allowed origin."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from bounds.patterns import compile_apart
from connectors.errors import BadRequest
from connectors.opaque import tokens
from connectors.opaque.tokens import MARK, TOKEN, TOKEN_BYTES, names_in, text_of, token
from connectors.request_parts import not_in_values, quoted
from connectors.security.derived import Form, forms_of
from connectors.security.redact import Redactor, as_html_json, as_json
from connectors.spec import TargetSpec

WITHHELD: Final = "secret_withheld"
LONG: Final = 8
"""Characters from which on a value is taken for a secret wherever a target repeats it: shorter ones occur by chance."""
SHOWN_ORIGINS: Final = 3
MADE: Final = 500
ADVICE: Final = (
    "if this origin may have the secret, add it to the origins of the credential; otherwise mend the target's address, "
    "its handshake, its proxy or its Host header"
)


class Vault:
    """`allowed`: the origins that may get the secrets. `forms`: of what is made of them."""

    def __init__(self, values: Mapping[str, str], allowed: Iterable[str], forms: Sequence[Form] = ()) -> None:
        self._values = {name: value for name, value in values.items() if value}
        self.allowed = frozenset(allowed)
        self._known = Redactor(self._values.values())
        self.redact = Redactor(self._values.values(), forms) if forms else self._known
        self._made: deque[str] = deque(maxlen=MADE)
        """The last signed tokens."""
        self.tokens = {name: token(tokens.SECRET, name) if value else "" for name, value in values.items()}
        """What templates see, by name."""
        self._names = names = {value: name for name, value in self._values.items() if len(value) >= LONG}
        self._plain = compile_apart("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
        self._forms = self._known if set(names) == set(self._values.values()) else Redactor(names)
        anchors = "|".join(map(re.escape, self._forms.anchors))
        self.repeats = compile_apart(anchors).search if names else None
        """Finds what may be a repeated secret, in a text; None: there is none to be found."""

    def release(self, data: bytes, receivers: Collection[str]) -> bytes:
        """`data` with its secrets in clear. Raises BadRequest (secret_withheld) if one of `receivers` must not get
        them, or if such data has one in clear, as a target may have repeated it."""
        if not self.may_go_to(receivers):
            self._check(data.decode("latin-1"), receivers)
        return TOKEN_BYTES.sub(self._bytes_for, data)

    def release_text(self, text: str, receivers: Collection[str]) -> str:
        self._check(text, receivers)
        return TOKEN.sub(self._text_for, text)

    def may_go_to(self, receivers: Collection[str]) -> bool:
        return self.allowed.issuperset(receivers)

    def concealed(self, value: Any) -> Any:
        """What an answer gave, with tokens where it repeats secrets, and without what it has encoded of them: templates
        could look into them there."""
        if self.repeats is None:
            return value
        if isinstance(value, str):
            return value if self.repeats(value) is None else self._concealed(value)
        if isinstance(value, list):
            return [self.concealed(item) for item in value]
        if isinstance(value, dict):
            return {self.concealed(key): self.concealed(item) for key, item in value.items()}
        return value

    def _concealed(self, text: str) -> str:
        text = self._plain.sub(lambda match: self.tokens[self._names[match[0]]], text)
        found, at = [], 0
        for match in TOKEN.finditer(text):
            found += [self._forms(text[at : match.start()]), match[0]]
            at = match.end()
        return "".join([*found, self._forms(text[at:])])

    def _check(self, text: str, receivers: Collection[str]) -> None:
        for origin in receivers:
            if origin in self.allowed:
                continue
            if MARK in text:
                raise withheld(names_in(text), origin, self.allowed)
            readings = _readings(text)
            if any(self._known(form) != form or any(made in form for made in self._made) for form in readings):
                raise withheld([], origin, self.allowed)

    def _bytes_for(self, match: re.Match[bytes]) -> bytes:
        kind, inner = match[1].decode(), match[2].decode()
        return self._value(kind, inner).encode("latin-1" if kind == tokens.HEADER else "utf-8", "replace")

    def _text_for(self, match: re.Match[str]) -> str:
        return self._value(match[1], match[2])

    def _value(self, kind: str, inner: str) -> str:
        text = text_of(inner)
        if kind == tokens.SECRET:
            return self._values.get(text, "")
        if kind == tokens.JWT:
            from connectors.security.jwt import signed_jwt  # loaded only for the few targets that need it

            made = signed_jwt(orjson.loads(text), self._opened)
            self._made.append(made)
            return made
        encode: Callable[[str], str] = _ENCODERS[kind]
        return encode(self._opened(text))

    def _opened(self, text: str) -> str:
        return TOKEN.sub(self._text_for, text)


def vault_of(spec: TargetSpec) -> Vault | None:
    """None: the target has no secrets."""
    if not spec.secrets:
        return None
    values = {name: value.get_secret_value() for name, value in spec.secrets.items()}
    return Vault(values, spec.allowed_origins(), derived_of(spec))


def derived_of(spec: TargetSpec) -> tuple[Form, ...]:
    """Forms of what the target makes of its secrets."""
    algorithms = [step.jwt.algorithm for step in spec.handshake.steps if step.jwt is not None]
    return forms_of(algorithms, signs=spec.aws_signature is not None)


def redactor_of(spec: TargetSpec) -> Redactor:
    """For whatever is said of a target."""
    return Redactor([value.get_secret_value() for value in spec.secrets.values()], derived_of(spec))


def withheld(names: Iterable[str], origin: str, allowed: Iterable[str]) -> BadRequest:
    """The error of a request that would bring secrets to a wrong `origin`."""
    which = f"the secret {', '.join(names)}" if names else "a secret that the target repeated"
    known = sorted(allowed)
    places = ", ".join(known[:SHOWN_ORIGINS]) + (", ..." if len(known) > SHOWN_ORIGINS else "")
    return BadRequest(WITHHELD, f"{which} may not go to {origin}, only to {places or 'no origin at all'}", ADVICE)


def _readings(text: str) -> tuple[str, str, str]:
    wide = text.encode("latin-1", "replace").decode(errors="replace")
    return text, wide, unquote(wide)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode(errors="replace")).decode()


def _header(text: str) -> str:
    text = text.strip(" \t")
    if not_in_values(text):
        what = "a secret in a header has a line break or another control character in it"
        raise BadRequest("request_invalid", what, "set the secret again, without what surrounds it")
    return text


_ENCODERS: Final = {
    tokens.BASE64: _base64,
    tokens.URL: lambda text: quote(text, safe="/", errors="replace"),
    tokens.JSON: as_json,
    tokens.HTML_JSON: as_html_json,
    tokens.HEADER: _header,
    tokens.PATH: lambda text: quoted(text.encode(errors="replace").decode()),
}
"""By kind of token."""
