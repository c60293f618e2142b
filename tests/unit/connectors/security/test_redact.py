"""No secret is left in a text, however it is written there, and other texts stay as they are."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import string
import sys
import time
import traceback
from urllib.parse import quote, quote_plus, urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.security import redact as redact_module
from connectors.security.redact import MASK, RedactedStream, Redactor

SECRET = "sk-live/4f+K9=é\"<&>'\\x"
PEM = (
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQDhw\n-----END PRIVATE KEY-----\n"
)
VALUES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=4, max_size=30).filter(
    lambda text: len(text.strip()) >= 4 and len(set(text)) > 1 and MASK not in text and text not in "text: ***"
)


def holds(text: str, value: str) -> bool:
    """Whether one of the value's words is there: those stay themselves however it is escaped."""
    return any(word in text for word in re.findall(r"\w{4,}", value, re.ASCII))


@given(value=VALUES, before=st.text(max_size=9), after=st.text(max_size=9))
def test_a_value_is_found_wherever_it_stands(value: str, before: str, after: str) -> None:
    redact = Redactor([value])
    assert value not in redact(f"{before}{value}{after}".replace(MASK, ""))


WRITTEN = [
    SECRET,
    f"Bearer {SECRET}!",
    json.dumps({"echo": SECRET}),
    json.dumps({"echo": SECRET}, ensure_ascii=False),
    orjson.dumps([SECRET]).decode(),
    json.dumps(SECRET).replace("/", "\\/"),
    json.dumps(json.dumps({"echo": SECRET})),
    json.dumps(json.dumps(json.dumps([SECRET]).replace("/", "\\/"))),
    quote(quote(SECRET, safe=""), safe=""),
    quote(json.dumps({"key": SECRET})),
    html.escape(html.escape(json.dumps(SECRET))),
    repr(SECRET.encode()),
    repr(json.dumps(repr(SECRET))),
    SECRET.replace("é", "\\u00E9").replace('"', "&#34;").replace("<", "\\u003C"),
    repr(SECRET),
    repr({"key": f"x{SECRET}"}),
    f"/chat?key={quote(SECRET)}",
    f"/chat?key={quote(SECRET, safe='')}&x",
    f"/chat?{urlencode({'key': SECRET})}",
    quote_plus(SECRET),
    re.sub("%..", lambda match: match[0].lower(), quote(SECRET)),
    f"<p>{html.escape(SECRET)}</p>",
    f"<p>{html.escape(SECRET, quote=False)}</p>",
    base64.b64encode(SECRET.encode()).decode(),
    base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
    *(base64.b64encode(f"{'u' * size}:{SECRET}:tail".encode()).decode() for size in range(4)),
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_value_is_found_however_it_is_written(written: str) -> None:
    said = Redactor([SECRET, "another one"])(written)
    assert MASK in said
    assert not holds(said, SECRET)
    assert len(said) <= len(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_value_that_is_too_long_for_a_pattern_is_found_too(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Redactor([SECRET, "another one"])(written)
    monkeypatch.setattr(redact_module, "PATTERN_CHARS", 0)
    assert Redactor([SECRET, "another one"])(written) == expected


@pytest.mark.parametrize("value", ["é" * 10_000, "[" * 10_000, '{"a":' * 2000, " +/" * 3000, "x" * 10_000])
def test_long_values_cost_little(value: str) -> None:
    begun = time.thread_time()
    redact = Redactor([f"{value[:-2]}{number:02d}" for number in range(20)])
    assert redact(f"it is {value[:-2]}07.").split() == ["it", "is", "***."]
    assert redact.error(f"it begins with {value[:200]}!").split() == ["it", "begins", "with", "***!"]
    redact.cut(value * 20, 4000)
    assert time.thread_time() - begun < 5


def test_a_value_in_the_pattern_is_whole_where_a_longer_one_begins_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longer one is followed unit by unit and reaches all but the end of the other."""
    begins = "one-and-the-same-beginning-of-both-" * 40
    values = [f"{begins}a much longer end", f"{begins}7"]
    shortest = min(Redactor(values)._sought, key=lambda one: len(one.units))
    monkeypatch.setattr(redact_module, "PATTERN_CHARS", len(shortest.pattern))
    redact = Redactor(values)
    assert redact(f"it is {values[1]}.") == "it is ***."
    assert redact(f"it is {values[0]}.") == "it is ***."


def test_a_file_of_several_lines_is_found_as_a_whole_by_lines_and_on_one_line() -> None:
    redact = Redactor([PEM])
    assert redact(f"it is\n{PEM}.") == "it is\n***\n."
    assert redact(json.dumps(PEM)) == r'"***\n"'
    assert redact(f"on one line: {' '.join(PEM.split())}") == "on one line: ***"
    assert redact("the line MIIEvQIBADANBgkqhkiG9w0BAQEFAASC of it") == "the line *** of it"


def test_of_two_values_the_longer_one_is_replaced_whole() -> None:
    redact = Redactor(["secret", "secret-and-more"])
    assert redact("secret-and-more, secret") == "***, ***"


@given(text=st.text())
def test_without_values_every_text_stays_itself(text: str) -> None:
    redact = Redactor()
    assert not redact
    assert redact(text) is text
    assert redact.error(text) is text
    assert redact.cut(text, 5) == text[:5]


@pytest.mark.parametrize("value", ["", "a", "abc", " ab ", "\n\n\n"])
def test_values_that_every_text_holds_are_not_searched_for(value: str) -> None:
    assert Redactor([value])(f"so {value} much abc") == f"so {value} much abc"


def test_what_is_no_secret_stays() -> None:
    text = "The quick brown fox: 12345 {'a': \"b\"} sk-liv"
    assert Redactor([SECRET, PEM])(text) == text


@given(limit=st.integers(0, 60), before=st.integers(0, 40), size=st.integers(4, 20))
def test_nothing_is_left_of_a_value_where_a_text_is_cut(limit: int, before: int, size: int) -> None:
    value = string.ascii_uppercase[:size]
    text = "." * before + value + "." * 30 + value
    said = Redactor([value]).cut(text, limit)
    assert len(said) <= limit
    assert set(said) <= {".", "*"}


@given(size=st.integers(8, len(SECRET)), behind=st.sampled_from(["", "|", "... and more"]))
def test_an_error_keeps_no_beginning_of_a_value_that_was_cut_off(size: int, behind: str) -> None:
    said = Redactor([SECRET]).error(f"unknown key '{SECRET[:size]}{behind} or '{SECRET[:size]}{behind}")
    assert SECRET[:8] not in said
    assert said.count(MASK) == 2
    assert said.endswith(MASK + behind)


def test_a_traceback_is_written_without_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    stream = RedactedStream(sys.stderr, Redactor([SECRET, PEM]))
    traceback.print_exception(ValueError(f"refused {SECRET}", PEM), file=stream)
    stream.write("without an end: ")
    stream.write(SECRET)
    stream.flush()
    said = capsys.readouterr().err
    assert not holds(said, SECRET) and not holds(said, PEM)
    assert r"ValueError: ('refused ***', '***\n')" in said
    assert said.endswith("without an end: ***")


def test_a_stream_keeps_lines_whole_that_come_in_pieces() -> None:
    below = io.StringIO()
    stream = RedactedStream(below, Redactor(["secret"]))
    for piece in ("a se", "cret\nsec", "ret b\n"):
        assert stream.write(piece) == len(piece)
    assert below.getvalue() == "a ***\n*** b\n"


@pytest.mark.parametrize(
    "value", ["\\\\\\\\\\", 'a\\"' * 9, "    x" * 9, "%%%%%%", "+ + + +", "\\n \\n \\n", "....aaaa...."]
)
def test_no_text_makes_the_search_slow(value: str) -> None:
    redact = Redactor([value])
    for piece in ("\\", " ", "%25", "&amp;", "+", '\\\\"', "\\n", "a", "%2525 \\"):
        text = piece * 20_000
        begun = time.thread_time()
        redact.cut(text, 4000)
        redact.error(text[:300])
        assert time.thread_time() - begun < 5, piece
