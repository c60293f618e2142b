"""JSON that is none to the letter: read as browsers and Python read it, or refused as before."""

import orjson
import pytest

from connectors.content.decoding import declared_charset, dumps, loads, mended, mended_value
from connectors.errors import BadAnswer, BrokenTransport, TooLarge
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec, build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

READ = {
    "byte order mark": (b'\xef\xbb\xbf{"a": 1}', None, {"a": 1}),
    "byte order mark and spaces": (b'\xef\xbb\xbf\r\n [1]\n', None, [1]),
    "NaN": (b'{"a": NaN, "b": 2}', None, {"a": None, "b": 2}),
    "Infinity": (b'[Infinity, -Infinity, 1.5]', None, [None, None, 1.5]),
    "utf-16 with a mark": ('{"a": "ü"}'.encode("utf-16"), None, {"a": "ü"}),
    "utf-16 without one": ('{"a": "ü"}'.encode("utf-16-be"), "utf-16", {"a": "ü"}),
    "utf-32": ('{"a": "ü"}'.encode("utf-32"), None, {"a": "ü"}),
    "latin-1 as declared": (b'{"a": "gr\xfc\xdfe"}', "cp1252", {"a": "grüße"}),
    "koi8 as declared": ('{"a": "да"}'.encode("koi8-r"), "koi8-r", {"a": "да"}),
    "shift jis as declared": ('{"a": "はい"}'.encode("shift_jis"), "shift_jis", {"a": "はい"}),
    "UTF-8 whatever is declared": ('{"a": "ü", "b": NaN}'.encode(), "cp1252", {"a": "ü", "b": None}),
    "half of a pair": (b'{"a": "x\\ud83d"}', None, {"a": "x\ud83d"}),
    "a number beyond 64 bits beside NaN": (b"[%d, NaN]" % (10**30), None, [1e30, None]),
    "integers at the ends of 64 bits": (b"[%d, %d, NaN]" % (-(2**63), 2**64 - 1), None, [-(2**63), 2**64 - 1, None]),
    "integers beyond every double": (b"[%b, -%b, 7]" % (b"9" * 400, b"1" * 500_000), None, [None, None, 7]),
    "numbers beyond every double": (b"[1e999, -1E+400, 1.5, NaN]", None, [None, None, 1.5, None]),
    "one alone": (b"1" * 5000, None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_browsers_and_python_take_is_read(name: str) -> None:
    data, charset, value = READ[name]
    assert loads(data, charset) == value


NOT_READ = [
    b'{"a": ',
    b"",
    b"[DONE]",
    b'{"a": "\xff"}',
    b"\xff\xfe",
    b"nan",
    b'{"a": 1} x',
]


@pytest.mark.parametrize("data", NOT_READ)
def test_what_they_refuse_is_refused(data: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        loads(data)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + b"[" * 100_000, b"[NaN," * 50_000])
def test_what_is_nested_too_deeply_is_named(data: bytes) -> None:
    with pytest.raises((TooLarge, orjson.JSONDecodeError), match=r"deep|depth"):
        loads(data)


CHARSETS = {
    "application/json": None,
    "application/json; charset=utf-8": None,
    'application/json; charset="UTF8"': None,
    "application/json;charset=ISO-8859-1": "cp1252",
    "text/plain; charset=us-ascii": "cp1252",
    "application/json; Charset = utf-16": "utf-16",
    "text/html; charset='windows-1251'; q=1": "cp1251",
    "application/json; charset=punycode": None,
    "application/json; charset=hex": None,
    "application/json; charset=unicode_escape": None,
    "application/json; charset=utf-7": None,
    "application/json; charset=klingon": None,
}


@pytest.mark.parametrize("content_type", CHARSETS)
def test_a_declared_charset_is_one_of_those_that_texts_have(content_type: str) -> None:
    assert declared_charset(content_type) == CHARSETS[content_type]


def test_halves_are_joined_or_replaced_and_stay_json() -> None:
    assert mended("a\ud83d\ude00b") == "a😀b"
    assert mended("cut \ud83d") == "cut \ufffd"
    assert mended_value({"k\ud83d": ["\ude00", 1, None]}) == {"k\ufffd": ["\ufffd", 1, None]}
    value = {"event": "ü", "data": "\ud83d"}
    assert dumps(value) == b'{"event":"\xc3\xbc","data":"\\ud83d"}'
    assert loads(dumps(value)) == value


def streamed() -> Timeline:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat", stream=True)
    return Timeline(CompiledTarget(spec).response, planned_ns=0)


def piece(escaped: str) -> bytes:
    return b'{"choices":[{"delta":{"content":"%b"}}]}' % escaped.encode()


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Hi ", "\\ud83d", "\\ude00 there"], "Hi 😀 there"),
        (["\\ud83d", "\\ude00\\ud83d", "\\ude01"], "😀😁"),
        (["ü\\uD83C", "\\uDF89"], "ü🎉"),
        (["lost \\ude00", "!"], "lost \ufffd!"),
        (["end \\ud83d"], "end \ufffd"),
    ],
)
def test_the_halves_of_a_character_in_two_pieces_are_one(pieces: list[str], text: str) -> None:
    line = streamed()
    for at, escaped in enumerate(pieces):
        line.event(at, piece(escaped))
    line.event(90, b"[DONE]")
    line.end(99)
    assert (line.text, line.chunks) == (text, len(pieces))
    assert line.text.encode()


@pytest.mark.parametrize("mark", [b"[DONE] ", b" [DONE]", b"\t[DONE]\r", b"[DONE]"])
def test_an_end_mark_may_stand_between_spaces(mark: bytes) -> None:
    line = streamed()
    line.event(10, piece("x"))
    line.event(20, b"  ")
    line.event(30, mark)
    assert line.done_ns == 30


def test_a_text_that_grows_keeps_its_halves() -> None:
    line = Timeline(ResponseMapping(ResponseSpec(delta="t", cumulative=True)), planned_ns=0)
    for escaped in ("Hi", "Hi \\ud83d", "Hi \\ud83d\\ude00", "Hi \\ud83d\\ude00!"):
        line.event(1, b'{"t":"%b","x":NaN}' % escaped.encode())
    assert line.text == "Hi 😀!"


def test_what_is_kept_or_told_beside_the_text_is_text_too() -> None:
    spec = ResponseSpec(text="t", save={"id": "id"}, error="error")
    line = Timeline(ResponseMapping(spec), planned_ns=0)
    line.answer(1, b'{"t": "ok \\ud83d", "id": "x\\ude00"}')
    assert (line.text, line.saved) == ("ok \ufffd", {"id": "x\ufffd"})
    with pytest.raises(BadAnswer, match="sorry \ufffd"):
        Timeline(ResponseMapping(spec), planned_ns=0).answer(1, b'{"error": "sorry \\ud83d"}')


def test_bytes_that_are_not_in_the_declared_charset_are_named() -> None:
    line = Timeline(ResponseMapping(ResponseSpec(text="t")), planned_ns=0)
    line.charset = "shift_jis"
    with pytest.raises(BrokenTransport, match="not UTF-8"):
        line.answer(1, b'{"t": "\xff\xfe\xfd"}')
