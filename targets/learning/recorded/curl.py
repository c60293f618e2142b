"""Reads curl command lines, as browsers copy them and vendors print them. Opens no file and runs nothing.

The readers on PyPI end the process at an option that they do not know, and take neither `--json` nor `$'...'`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from targets.learning.recorded.answers import document
from targets.learning.recorded.aws import of_curl
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import NO_JSON, Exchange, checked_url, words
from targets.learning.recorded.shell_words import Word, split

START: Final = re.compile(r"^[ \t]*(?:[$>%#][ \t]+)?curl(?:\.exe)?[ \t]", re.MULTILINE)
DATA: Final = {"-d", "--data", "--data-ascii", "--data-binary", "--data-raw", "--json", "--data-urlencode"}
HEADERS: Final = {"-A": "User-Agent", "--user-agent": "User-Agent", "-e": "Referer", "--referer": "Referer"}
WITH_VALUE: Final = words(
    """
    -o --output -m --max-time --connect-timeout --retry -x --proxy --cacert --cert -E --key --resolve -w
    --write-out -c --cookie-jar --limit-rate --interface -K --config -D --dump-header -T --upload-file -C
    --continue-at --max-redirs -r --range -t --telnet-option -z --time-cond --ciphers --tls-max --dns-servers
    --noproxy -U --proxy-user
    """
)
SHORT_WITH_VALUE: Final = frozenset("odHXFAebumxcEwKDTCrtzU")


@dataclass
class _Command:
    method: str = ""
    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    form: dict[str, str] = field(default_factory=dict)
    query: bool = False
    json: bool = False
    http2: bool = False
    user: str = ""
    sigv4: str | None = None
    unsure: list[str] = field(default_factory=list)


def is_curl(text: str) -> bool:
    return START.search(text) is not None


def read_curl(text: str) -> list[Exchange]:
    """The requests of all curl commands in `text`. Raises LearnError."""
    starts = [found.start() for found in START.finditer(text)]
    return [_exchange(_command(split(_from(text, start)))) for start in starts[:20]]


def _from(text: str, start: int) -> str:
    """The text from `curl` on, without the prompt before it."""
    return text[text.index("curl", start) :]


def _command(words: list[Word]) -> _Command:
    made = _Command()
    rest = iter(words[1:])
    for word in rest:
        option, joined = _option(word.text)
        if not option:
            _address(made, word)
        elif (take := _known(option)) is not None:
            take(made, Word([joined], word.substituted) if joined is not None else _next(option, rest))
        elif option in WITH_VALUE:
            if joined is None:
                _next(option, rest)
        elif option in {"-G", "--get"}:
            made.query = True
        elif option == "--http2-prior-knowledge":
            made.http2 = True
    return made


def _option(text: str) -> tuple[str, str | None]:
    """The option that a word is, and the value joined to it; an empty name: it is none."""
    if not text.startswith("-") or text == "-":
        return "", None
    if text.startswith("--"):
        name, equals, value = text.partition("=")
        return (name, value) if equals else (text, None)
    for index, letter in enumerate(text[1:], 1):
        if letter in SHORT_WITH_VALUE:
            return f"-{letter}", text[index + 1 :] or None
    return f"-{text[-1]}" if "G" not in text else "-G", None


def _next(option: str, rest: Iterator[Word]) -> Word:
    found = next(rest, None)
    if found is None:
        raise LearnError(f"curl's option {option} has no value: copy the whole line")
    return found


def _address(made: _Command, word: Word) -> None:
    if made.url:
        return
    if word.substituted and not word.text.startswith("http"):
        raise LearnError(f"the address {word.text[:80]!r} is left to a shell, which is not run: write it out")
    made.url = word.text


def _known(option: str) -> Callable[[_Command, Word], None] | None:
    if option in DATA:
        return lambda made, word: _data(made, option, word)
    if option in HEADERS:
        return lambda made, word: made.headers.append((HEADERS[option], word.text))
    return _TAKERS.get(option)


def _data(made: _Command, option: str, word: Word) -> None:
    text = word.text
    opens = text.startswith("@") and option != "--data-raw"
    if option == "--data-urlencode":
        name, equals, value = text.partition("=")
        opens = not equals and "@" in text
        text = f"{name}={quote(value, safe='')}" if equals else quote(text, safe="")
    if opens:
        raise LearnError(
            f"curl would read the body from the file {word.text[1:][:80]!r}, which is not opened: give the body"
        )
    if word.substituted:
        made.unsure.append("the body holds something that a shell would replace: it is taken as it is written")
    made.json = made.json or option == "--json"
    made.data.append(text)


def _header(made: _Command, word: Word) -> None:
    if word.text.startswith("@"):
        raise LearnError("curl would read headers from a file, which is not opened: give each with -H")
    name, colon, value = word.text.partition(":")
    if colon and name.strip():
        made.headers.append((name.strip(), value.strip()))


def _cookie(made: _Command, word: Word) -> None:
    if "=" in word.text:
        made.headers.append(("Cookie", word.text))
    else:
        made.unsure.append("curl would read cookies from a file, which is not opened")


def _user(made: _Command, word: Word) -> None:
    made.user = word.text


def _set_sigv4(made: _Command, word: Word) -> None:
    made.sigv4 = word.text


def _form(made: _Command, word: Word) -> None:
    name, _, value = word.text.partition("=")
    if value.startswith(("@", "<")):
        made.unsure.append(f"the field {name[:40]!r} is a file, which is not opened: it is left out")
    else:
        made.form[name] = value


def _set_method(made: _Command, word: Word) -> None:
    made.method = word.text.upper()


_TAKERS: Final[dict[str, Callable[[_Command, Word], None]]] = {
    "-H": _header, "--header": _header, "-X": _set_method, "--request": _set_method, "--url": _address,
    "-b": _cookie, "--cookie": _cookie, "-u": _user, "--user": _user, "-F": _form, "--form": _form,
    "--aws-sigv4": _set_sigv4, "--form-string": _form, "--oauth2-bearer": lambda made, word: made.headers.append(
        ("Authorization", f"Bearer {word.text}")
    ),
}  # fmt: skip


def _exchange(made: _Command) -> Exchange:
    if not made.url:
        raise LearnError("the curl line has no address: copy the whole line")
    url = made.url if "://" in made.url else f"http://{made.url}"
    scheme, _, rest = url.partition("://")
    user, at, host = rest.partition("/")[0].rpartition("@")
    if at:
        _user(made, Word([unquote(user)]))
        url = f"{scheme}://{host}{rest[len(user) + len(host) + 1 :]}"
    joined = "&".join(made.data) if not made.json else "".join(made.data)
    if made.query and joined:
        url, joined = f"{url}{'&' if '?' in url else '?'}{joined}", ""
    if made.user and made.sigv4 is None:
        made.headers.append(("Authorization", f"Basic {base64.b64encode(made.user.encode()).decode()}"))
    has_body = bool(joined or made.form)
    return with_body(
        Exchange(
            made.method or ("POST" if has_body else "GET"),
            checked_url(url),
            tuple(made.headers),
            http2=made.http2,
            unsure=(*made.unsure,),
            aws=None if made.sigv4 is None else of_curl(made.sigv4, made.user, url),
        ),
        joined,
        made.form,
    )


def with_body(exchange: Exchange, text: str, form: dict[str, str] | None = None) -> Exchange:
    """The exchange with its body read: JSON, a form, or a text."""
    if form:
        return replace(exchange, body=dict(form), encoding="multipart")
    if (found := document(text)) is not NO_JSON:
        return replace(exchange, body=found, body_text=text)
    kind = exchange.header("content-type").lower()
    if text and ("x-www-form-urlencoded" in kind or (not kind and "=" in text)):
        try:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
        except ValueError as exc:
            raise LearnError("the body is a form with more than 1,000 fields") from exc
        return replace(exchange, body=fields, body_text=text, encoding="form")
    return replace(exchange, body_text=text, encoding="text" if text else "json")
