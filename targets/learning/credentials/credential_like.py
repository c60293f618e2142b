"""Which texts look like a credential, whatever their name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from targets.learning.text_like import bare, is_date

_PRIVATE_KEY: Final = (
    r"-----BEGIN(?:[ +]|%20)(?:[A-Z0-9]+(?:[ +]|%20)){0,4}PRIVATE(?:[ +]|%20)KEY(?:(?:[ +]|%20)BLOCK)?-----"
    r"(?:(?:(?!-----)[\s\S]){0,20000}-----END[^-]{0,60}-----|"
    r"(?:\s|\\+[nr]){0,20}[\w+/=]{16}(?:[\w+/=\s]|\\+[nr]){0,20000})"
)
"""As PEM, perhaps on one line, and cut off."""
KNOWN: Final = re.compile(
    r"(?:(?<![A-Za-z0-9])(?:(?:sk|pk|rk|tok|whsec|hf|gsk|xai|key|pat|api|secret|lin|npm|dop|shp(?:at|ss|ca))[-_][\w-]{12,200}|"
    r"gh[pousr]_\w{20,200}|github_pat_\w{20,200}|glpat-[\w-]{16,200}|xox[abeprs]-[\w-]{10,200}|"
    r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[\w-]{30,50}|ya29\.[\w-]{10,2000}|SG\.[\w-]{16,40}\.[\w-]{16,80}|"
    r"eyJ[\w-]{8,2000}\.[\w-]{4,4000}\.[\w-]{0,2000}|(?:bot)?\d{6,12}:[A-Za-z][\w-]{29,60}|"
    r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[\w+/=-]{40,4000}|LS0tL[\w+/-]{1,20}CRUdJTi[\w+/=-]{40,20000}|"
    rf"MII[\w+/-]{{3}}IBA(?:DAN|AKC)[\w+/=-]{{40,20000}})|{_PRIVATE_KEY})"
)
"""Credentials that say what they are."""
CARD: Final = re.compile(
    r"(?<![\w.-])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|5\d\d)|35\d\d|3[47]\d\d)(?:[ -]?\d){9,15}(?![\w-])"
)
_JWK_PARTS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
"""Of a JSON Web Key: what only its owner has."""
_IN_JWK: Final = re.compile(rf"""["'](?:{"|".join(sorted(_JWK_PARTS))})\\*["']\s*:\s*\\*["']([\w-]{{8,4000}})""")
_AWS_KEY: Final = re.compile(r"(?<![\w+/=%.-])[A-Za-z0-9+/]{40}(?![\w+/=%-])")
_CHANGE: Final = re.compile(r"(?<=[a-z])(?![a-z])|(?<=[A-Z])(?![A-Z])|(?<=[0-9])(?![0-9])")
_WORDS: Final = re.compile(r"[a-z]{4,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_HEX: Final = re.compile(r"(?i)[0-9a-f]{16,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_DASHED_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGITS: Final = 2
AWS_CHARS: Final = 40
AWS_CHANGES: Final = 12
"""Between small letters, capitals and digits; in a drawn text there are about 24."""
AWS_WORDS: Final = 14
"""Letters that may stand in words."""
_OWNED: Final = frozenset(
    {
        "session", "conversation", "chat", "thread", "context", "dialog", "room", "message", "request", "trace", "user",
        "sender", "sid",
    }
)  # fmt: skip


def names_an_id(key: str) -> bool:
    """Whether a key says that its value is an id, and no secret."""
    word = bare(key)
    return word.endswith(("id", "ids", "uuid", "guid", "nonce")) or word in _OWNED


def looks_secret(text: str) -> bool:
    """Whether a whole value looks like a credential: known ones, cards, and long random texts."""
    if (" " not in text.strip() or "PRIVATE" in text) and KNOWN.search(text):
        return True
    if any(True for _ in cards(text)) or (len(text) == AWS_CHARS and any(True for _ in _aws_keys(text))):
        return True
    return not (is_date(text) or _DASHED_UUID.fullmatch(text)) and is_random(text)


def is_private_part(document: Any, path: Sequence[str | int]) -> bool:
    """Whether the value at `path` is a private part of a JSON Web Key."""
    keys = [key for key in path if isinstance(key, str)]
    if not keys or keys[-1] not in _JWK_PARTS | {"r", "t"}:
        return False
    above = path[: path.index("oth")] if "oth" in path else path[:-1]
    for key in above:
        document = document[key]
    return isinstance(document, dict) and "kty" in document


def known_in(text: str) -> Iterator[str]:
    """Credentials anywhere in a text."""
    yield from (found[0] for found in KNOWN.finditer(text))
    yield from cards(text)
    if "://" not in text:
        yield from _aws_keys(text)
    if "kty" in text:
        yield from (found[1] for found in _IN_JWK.finditer(text))


def _aws_keys(text: str) -> Iterator[str]:
    """Secret keys of Amazon's: 40 drawn characters, with neither the words of a path nor those of a name."""
    for found in _AWS_KEY.finditer(text):
        key = found[0]
        wordy = sum(map(len, _WORDS.findall(key))) > AWS_WORDS
        if _mixed(key) and not key.isalpha() and not wordy and len(_CHANGE.findall(key)) >= AWS_CHANGES:
            yield key


def cards(text: str) -> Iterator[str]:
    """Numbers of payment cards."""
    return (found[0] for found in CARD.finditer(text) if _luhn(found[0]))


def _luhn(text: str) -> bool:
    digits = [int(letter) for letter in reversed(text) if letter.isdigit()]
    odd = sum(digits[::2])
    even = sum(divmod(2 * digit, 10)[0] + divmod(2 * digit, 10)[1] for digit in digits[1::2])
    return 13 <= len(digits) <= 19 and (odd + even) % 10 == 0


def is_random(text: str) -> bool:
    """Whether a text without spaces is long and looks drawn: hexadecimal, or letters of both cases with digits."""
    if not 16 <= len(text) <= 4_000 or re.search(r"[\s{}]|://", text):
        return False
    if any(_drawn(run) for run in _RUN.findall(text)):
        return True
    return (
        _BASE64.fullmatch(text) is not None and _mixed(text) and sum(map(str.isdigit, text)) > 3 and text.count("-") < 3
    )


def _drawn(run: str) -> bool:
    digits = sum(map(str.isdigit, run))
    if digits < _DIGITS or digits == len(run):
        return False
    return _HEX.fullmatch(run) is not None or (len(run) >= 20 and _mixed(run)) or (len(run) >= 24 and digits > 3)


def _mixed(text: str) -> bool:
    return any(map(str.isupper, text)) and any(map(str.islower, text))
