"""Texts and XML as the documents that a mapping reads."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.content.formats import reader_of
from connectors.content.xml_objects import MOST_DEPTH, MOST_NODES, xml_value
from connectors.errors import BadAnswer, TooLarge, TurnError
from connectors.spec import SpecError, build_target_spec


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("<a/>", {"a": None}),
        ("<a> b </a>", {"a": "b"}),
        ("<a x='1'/>", {"a": {"@x": "1"}}),
        ("<a x='1'>b</a>", {"a": {"@x": "1", "#text": "b"}}),
        ("<a><b>1</b><c/><b>2</b></a>", {"a": {"b": ["1", "2"], "c": None}}),
        ("<a>x<b/>y</a>", {"a": {"b": None, "#text": "xy"}}),
        ("<s:a xmlns:s='u'><s:b>&lt;&#228;</s:b></s:a>", {"s:a": {"@xmlns:s": "u", "s:b": "<ä"}}),
        ("<a><![CDATA[<b>]]></a>", {"a": "<b>"}),
        ("<?xml version='1.0' encoding='latin-1'?><a>\xe4</a>", {"a": "ä"}),
    ],
)
def test_xml_becomes_objects(data: str, value: Any) -> None:
    assert xml_value(data.encode("latin-1" if "latin-1" in data else "utf-8")) == value


def test_a_declared_charset_counts_more_than_that_in_the_document() -> None:
    assert xml_value("<?xml version='1.0' encoding='utf-8'?><a>ä</a>".encode("cp1252"), "cp1252") == {"a": "ä"}


BOMB = "<!DOCTYPE a [<!ENTITY x 'xx'><!ENTITY y '&x;&x;'>]><a>&y;</a>"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BOMB, "xml_invalid"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "xml_invalid"),
        ("<a>&x;</a>", "xml_invalid"),
        ("<a><b></a>", "xml_invalid"),
        ("", "xml_invalid"),
        ("<a/><b/>", "xml_invalid"),
        ('{"a": 1}', "xml_invalid"),
        ("<a x='1' x='2'/>", "xml_invalid"),
        ("<a>" * (MOST_DEPTH + 1) + "</a>" * (MOST_DEPTH + 1), "message_too_deep"),
        ("<a>" + "<b/>" * MOST_NODES + "</a>", "message_too_large"),
        ("<a " + " ".join(f"b{i}=''" for i in range(MOST_NODES)) + "/>", "message_too_large"),
    ],
)
def test_xml_that_is_none_or_too_much_is_refused(data: str, code: str) -> None:
    with pytest.raises(TurnError) as found:
        xml_value(data.encode())
    assert found.value.code == code


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text(alphabet="<>/a='!-[] &;", max_size=60).map(str.encode))
def test_whatever_comes_as_xml_is_read_or_refused(data: bytes) -> None:
    read = reader_of("xml", known_errors=True)
    assert read is not None
    with suppress(BadAnswer, TooLarge):
        orjson.loads(read(data, None, True))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"response": {"format": "text", "text": "answer"}}, "response: text: 'answer' has no effect"),
        ({"response": {"format": "text", "usage": {"output": "n"}}}, "usage.output: 'n' has no effect"),
        ({"response": {"format": "text", "save": {"id": "id"}}}, "save.id: 'id' has no effect"),
        ({"response": {"kind": "type", "kinds": {"a": {"format": "text"}}}}, "kinds.a.format has no effect"),
        ({"protocol": "socketio", "response": {"format": "text"}}, "response.format has no effect"),
        ({"protocol": "text", "response": {"format": "xml", "text": "a"}}, "protocol text reads texts"),
        ({"protocol": "text", "response": {"done": {"data": "[DONE]"}}}, "response.done has no effect"),
        ({"response": {"format": "yaml"}}, "format"),
        ({"protocol": "sse", "response": {"format": "text", "save": {"a": "@"}}}, "response.save.a has no effect"),
        (
            {"protocol": "websocket", "response": {"format": "text"}, "reply_to": {"response": "a", "request": "b"}},
            "reply_to has no effect",
        ),
        ({"response": {"line": "^(?P<data>.*)"}}, "response.line has no effect: an answer of protocol http"),
        ({"protocol": "ndjson", "response": {"line": "^>(.*)"}}, "has no group"),
        ({"protocol": "ndjson", "response": {"line": ".*(?P<data>x)"}}, "could take too long"),
    ],
)
def test_what_has_no_effect_is_refused(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words.replace("[", r"\[")):
        build_target_spec(name="t", url="http://h", preset="generic-json", overrides=overrides)


@pytest.mark.parametrize("stream", [False, True])
def test_a_preset_s_paths_into_json_go_with_the_json(stream: bool) -> None:
    spec = build_target_spec(
        name="t", url="http://h", preset="openai-chat", stream=stream, overrides={"response": {"format": "text"}}
    )
    assert list(spec.response.paths()) == []
    assert (spec.response.done is not None) is stream, "an end mark in clear is one of texts too"
