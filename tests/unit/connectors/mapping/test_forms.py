"""Bodies of requests that are forms or plain text."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from connectors.errors import BadRequest, Refused
from connectors.http.redirects import RedirectChain
from connectors.mapping.forms import BOUNDARY
from connectors.mapping.request import RenderedRequest
from connectors.spec import SpecError, parse_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

SECRET = 'k-1&"ü\\'
MESSAGE = 'a=b&c\r\nd "e" ü+%20'
TURN = {
    "message": MESSAGE,
    "messages": [{"role": "user", "content": MESSAGE}],
    "history": [],
    "session": {"id": "s1"},
    "turn": 2,
    "vars": {},
}


def target(encoding: str, body: Any, **more: Any) -> CompiledTarget:
    data = {
        "name": "t",
        "protocol": "http",
        "url": "http://127.0.0.1:9/v1",
        "response": {"text": "text"},
        "secrets": {"key": SECRET},
        "request": {"encoding": encoding, "body": body, **more.pop("request", {})},
    }
    return CompiledTarget(parse_target_spec(data | more))


def sent(encoding: str, body: Any, **more: Any) -> tuple[str, bytes]:
    """Content type and body."""
    made = target(encoding, body, **more)
    request = made.endpoint.released(made.render(dict(TURN)))
    return {name.lower(): value for name, value in request.headers}["content-type"], request.body


FIELDS = {
    "m": "{{ message }}",
    "n": 1,
    "f": 0.5,
    "yes": True,
    "list": ["a", "{{ turn }}"],
    "doc": {"x": ["{{ message }}"]},
    "none": None,
    "missing": "{{ vars.nope }}",
    "key": "Bearer {{ secret.key }}",
    "in_doc": {"key": "{{ secret.key }}"},
    "ü&=": "",
}
READ = [
    ("m", MESSAGE),
    ("n", "1"),
    ("f", "0.5"),
    ("yes", "true"),
    ("list", "a"),
    ("list", "2"),
    ("doc", '{"x":["a=b&c\\r\\nd \\"e\\" ü+%20"]}'),
    ("key", f"Bearer {SECRET}"),
    ("in_doc", '{"key":"k-1&\\"ü\\\\"}'),
    ("ü&=", ""),
]


def test_an_object_becomes_a_form() -> None:
    kind, body = sent("form", FIELDS)
    assert kind == "application/x-www-form-urlencoded"
    assert parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True) == READ


def parts_of(kind: str, body: bytes) -> list[tuple[Any, str | None, str, Any]]:
    """Name, file name, content type and content of each part, as Python's own parser reads them."""
    whole = BytesParser(policy=HTTP.clone(utf8=True)).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    assert not whole.defects
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in whole.iter_parts()
    ]


def test_an_object_becomes_a_form_in_parts() -> None:
    files = {
        "file": {"filename": 'a"ü.txt', "content": "{{ message }}", "type": "text/plain; charset=utf-8"},
        "image": {"filename": "b.png", "base64": "AAH/"},
    }
    kind, body = sent("multipart", {key: value for key, value in FIELDS.items() if key != "ü&="} | files)
    assert kind == f"multipart/form-data; boundary={BOUNDARY}"
    parts = parts_of(kind, body)
    assert [(name, content.decode()) for name, file, _, content in parts if file is None] == READ[:-1]
    assert parts[-2:] == [
        ("file", "a%22ü.txt", "text/plain", MESSAGE.encode()),
        ("image", "b.png", "application/octet-stream", b"\x00\x01\xff"),
    ]


@pytest.mark.parametrize(
    ("encoding", "body", "kind", "data"),
    [
        ("text", "{{ message }}!", "text/plain; charset=utf-8", f"{MESSAGE}!"),
        ("form", "q={{ turn }}&k={{ secret.key | urlencode }}", "application/x-www-form-urlencoded", None),
        ("form", "{{ {'a': message} }}", "application/x-www-form-urlencoded", f"a={quote(MESSAGE, safe='')}"),
    ],
)
def test_a_text_is_sent_as_it_is(encoding: str, body: str, kind: str, data: str | None) -> None:
    assert sent(encoding, body) == (kind, (data or "q=2&k=k-1%26%22%C3%BC%5C").encode())


def test_a_content_type_of_the_mapping_counts() -> None:
    headers = {"headers": {"content-type": "application/x-own"}}
    assert sent("text", "{{ message }}", request=headers)[0] == "application/x-own"


@pytest.mark.parametrize(
    ("encoding", "body", "more", "words"),
    [
        ("form", None, {}, "encoding form has no effect"),
        ("form", [1], {}, "an object of fields"),
        ("text", {"a": 1}, {}, "one text"),
        ("multipart", "a=b", {}, "must be an object of its fields"),
        ("xml", {"a": 1}, {}, "encoding"),
        ("form", {"a": 1}, {"protocol": "websocket"}, "request.encoding has no effect"),
        ("multipart", {"a": 1}, {"request": {"headers": {"content-TYPE": "x/y"}}}, "Content-Type"),
        ("multipart", {"a": {"filename": "f"}}, {}, "filename, content or base64"),
        ("multipart", {"a": {"filename": "f", "base64": "?"}}, {}, "base64 is not base64"),
        ("multipart", {"a": {"filename": "f", "content": "", "type": "a/b\r\nX: y"}}, {}, "content type"),
        ("multipart", {"a": {"filename": "{{ secret.key }}", "content": ""}}, {}, "name of a field or a file"),
        ("multipart", {"a": {"filename": "a", "base64": "{{ secret.key }}"}}, {}, "base64 already"),
        ("form", {"a": "{{ secret.key }}"}, {"codec": {"request": [{"name": "base64"}]}}, "encoded twice"),
        (
            "form",
            {"a": 1},
            {
                "protocol": "split",
                "standing": {"path": "/s"},
                "reply_to": {"response": "a", "request": "b"},
            },
            "reply_to.request",
        ),
    ],
)
def test_what_cannot_be_sent_so_is_refused(encoding: str, body: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as refused:
        target(encoding, body, **more)
    assert words in str(refused.value)


def test_a_value_cannot_end_its_part() -> None:
    made = target("multipart", {"a": "{{ message }}"})
    with pytest.raises(BadRequest, match="boundary"):
        made.render({**TURN, "message": f"\r\n--{BOUNDARY}\r\n"})


def test_half_a_character_is_refused() -> None:
    for encoding in ("form", "multipart", "text"):
        made = target(encoding, "{{ message }}" if encoding == "text" else {"a": "{{ message }}"})
        with pytest.raises(BadRequest, match=r"not valid Unicode|surrogates not allowed"):
            made.render({**TURN, "message": "\ud800"})


@pytest.mark.parametrize("body", [b"token=t%261%2B2", b'{"token": "t&1+2"}'])
def test_a_saved_value_in_a_form_does_not_follow_a_redirect_elsewhere(body: bytes) -> None:
    made = target("form", {"a": 1})
    timeline = Timeline(made.response, 0)
    chain = RedirectChain(made.endpoint, RenderedRequest("POST", "/v1", (), body), ["t&1+2"], timeline)
    with pytest.raises(Refused, match="body holds a secret"):
        chain.next(Refused(307), "http://other.example/v1")
