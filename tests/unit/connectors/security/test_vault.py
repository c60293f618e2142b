"""Secrets become visible only for a transport, in the form that their place needs."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadRequest
from connectors.mapping.request import RenderedRequest
from connectors.opaque.tokens import BASE64, JSON, MARK, MARK_BYTES, in_json, wrapped
from connectors.security.redact import MASK
from connectors.security.vault import Vault
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget

HERE = "http://bot.example:80"
ODD = 'se"cr\\et & <key> ü€%/+;'
TURN: dict[str, Any] = {"message": "hi", "messages": [], "session": {"id": "s"}, "saved": {}, "vars": {}, "turn": 0}


def compiled(request: dict[str, Any], secret: str = ODD, **overrides: Any) -> CompiledTarget:
    spec = build_target_spec(
        name="bot",
        url="http://bot.example",
        preset="generic-json",
        params={"user": "ada"},
        overrides={"request": {"headers": {"Authorization": None}} | request} | overrides,
        secrets={"key": secret, "other": "another-1234"},
    )
    return CompiledTarget(spec)


def rendered(request: dict[str, Any], secret: str = ODD, **context: Any) -> tuple[RenderedRequest, RenderedRequest]:
    """As templates have made it, and as it is sent."""
    target = compiled(request, secret)
    made = target.render({**TURN, **context})
    return made, target.endpoint.released(made)


@given(st.text(min_size=1), st.text(min_size=1))
def test_what_templates_make_does_not_depend_on_secrets(one: str, other: str) -> None:
    request = {
        "path": "/?k={{ secret.key | urlencode }}",
        "headers": {"x": "{{ 'set' if secret.key else 'unset' }} {{ secret.key | b64encode }}"},
        "body": {"a": "{{ [secret.key, {'b': secret.key | tojson}] }}", "c": "{{ secret.key ~ message }}"},
    }
    assert compiled(request, one).render(dict(TURN)) == compiled(request, other).render(dict(TURN))


def test_templates_see_only_placeholders() -> None:
    body = {"a": "{{ secret.key }}", "b": "{{ [secret.key, message] }}"}
    made, sent = rendered({"path": "/?k={{ secret.key }}", "headers": {"x": "{{ secret.key }}"}, "body": body})
    assert ODD not in str(made) and "another" not in str(made)
    assert MARK_BYTES in made.body and MARK in made.path and MARK in made.headers[0][1]
    assert MARK not in str(sent)
    assert json.loads(sent.body)["a"] == ODD
    assert json.loads(sent.body)["b"] == [ODD, "hi"]
    assert unquote(sent.path.partition("=")[2]) == ODD


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ secret.key }}", ODD),
        ("Bearer {{ secret.key }}", f"Bearer {ODD}"),
        ("{{ 'a' ~ secret.key ~ secret.other }}", f"a{ODD}another-1234"),
        ("{{ 'a' + secret.key }}", f"a{ODD}"),
        ("{{ [params.user, secret.key] | join(':') }}", f"ada:{ODD}"),
        ("{{ secret.key | urlencode }}", quote(ODD)),
        ("{{ secret.key | b64encode }}", base64.b64encode(ODD.encode()).decode()),
        ("{{ (params.user ~ ':' ~ secret.key) | b64encode }}", base64.b64encode(f"ada:{ODD}".encode()).decode()),
        ("{{ secret.key | b64encode | urlencode }}", quote(base64.b64encode(ODD.encode()).decode())),
        ("{{ saved.token or secret.key }}", ODD),
        ("{{ secret.missing | default(secret.key) }}", ODD),
        ("{{ secret.key if secret.key is defined else 'none' }}", ODD),
        ("{{ 'set' if secret.key else 'unset' }}{{ 'set' if secret.missing else 'unset' }}", "setunset"),
        ("{{ message ~ secret.key }}", f"hi{ODD}"),
    ],
)
def test_each_form_arrives_as_it_would_without_placeholders(template: str, value: str) -> None:
    _, sent = rendered({"body": {"a": {"b": [template]}}})
    assert json.loads(sent.body)["a"] == {"b": [value]}
    _, sent = rendered({"body": template})
    assert sent.body.decode() == value


@given(st.text(min_size=1))
def test_json_stays_json_whatever_a_secret_is(secret: str) -> None:
    body = {"a": "{{ secret.key }}", "b": "{{ {'k': [secret.key, 1]} | tojson }}", "c": "{{ {'k': secret.key} }}"}
    _, sent = rendered({"body": body}, secret)
    found = json.loads(sent.body)
    assert found["a"] == found["c"]["k"] == secret
    assert json.loads(found["b"]) == {"k": [secret, 1]}


@given(st.text(min_size=1))
def test_a_query_stays_one_line_whatever_a_secret_is(secret: str) -> None:
    _, sent = rendered({"path": "/ask?k={{ secret.key | urlencode }}&b=1"}, secret)
    assert unquote(sent.path.removeprefix("/ask?k=").removesuffix("&b=1")) == secret
    _, sent = rendered({"path": "/ask?k={{ secret.key }}"}, secret)
    assert sent.path.isascii() and sent.path.isprintable() and " " not in sent.path


@pytest.mark.parametrize("secret", ["a\r\nX-Evil: 1", "a\0", "a\n"])
def test_a_header_stays_one_line(secret: str) -> None:
    target = compiled({"headers": {"x": "{{ secret.key }}"}}, secret)
    with pytest.raises(BadRequest, match="a secret in a header has a line break"):
        target.endpoint.released(target.render(dict(TURN)))


MADE = [
    "{{ secret.key }}",
    "{{ message ~ secret.key ~ message }}",
    "{{ secret.key | urlencode }}",
    "{{ secret.key | b64encode }}",
    "{{ ('abc' ~ secret.key ~ 'de') | b64encode }}",
    "{{ (message ~ 'a' ~ secret.key) | b64encode | urlencode }}",
    "{{ secret.key | tojson }}",
    "{{ {'a': ['x', secret.key]} | tojson | b64encode }}",
    "{{ {'a': ['x', secret.key]} | tojson | urlencode | urlencode }}",
    "{{ {'a': ['x', secret.key | b64encode]} | tojson | tojson }}",
]


CODECS: list[list[dict[str, Any]]] = [
    [],
    [{"name": "base64"}],
    [{"name": "json-field", "options": {"field": "d"}}],
]


@pytest.mark.parametrize(
    ("template", "codecs"),
    [
        (template, codecs)
        for template in MADE
        for codecs in CODECS
        if codecs != [{"name": "base64"}] or "encode" not in template  # refused: it would be encoded twice
    ],
)
def test_redaction_knows_each_form_that_can_be_made(template: str, codecs: list[dict[str, Any]]) -> None:
    for secret in (ODD, "plain-secret_0815", "a'b\"c<d>&e\\f\u00fc\u4e2d", "x" * 20 + "/+/+"):
        target = compiled({"body": {"k": template}}, secret, codec={"request": codecs})
        request = target.endpoint.released(target.render({**TURN, "message": "hello"}))
        codec = target.codecs({})
        sent = (request.body if codec is None else codec.encode(request.body)).decode()
        masked = target.redact(sent)
        assert MASK in masked, sent
        assert MASK in target.redact(json.dumps({"echo": sent})), "repeated in another document"
        assert not [part for part in parts(secret) if part in masked]


def parts(secret: str) -> list[str]:
    """What must not be left of it, if it is long enough to tell."""
    encoded = base64.b64encode(secret.encode()).decode()
    return [secret[:6], secret[-6:], encoded[4:12]]


def vault(**values: str) -> Vault:
    return Vault(values, [HERE])


def test_another_origin_gets_nothing() -> None:
    kept = vault(key="planted-1234")
    data = f"Bearer {kept.tokens['key']}".encode()
    assert kept.release(data, [HERE]) == b"Bearer planted-1234"
    for wrong in ("http://evil.example:80", "https://bot.example:80", "http://bot.example:81"):
        with pytest.raises(BadRequest) as refused:
            kept.release(data, [HERE, wrong])
        assert refused.value.code == "secret_withheld"
        assert f"the secret key may not go to {wrong}, only to {HERE}" in refused.value.detail
        assert "planted" not in str(refused.value)
    packed = wrapped(BASE64, f"me:{kept.tokens['key']}")
    with pytest.raises(BadRequest, match="the secret key may not go to"):
        kept.release_text(packed, ["http://evil.example:80"])


@pytest.mark.parametrize("form", ["planted-1234", "cGxhbnRlZC0xMjM0", "planted%2D1234", "x=planted-1234&y"])
def test_nor_what_a_target_has_repeated(form: str) -> None:
    with pytest.raises(BadRequest, match="a secret that the target repeated may not go to"):
        vault(key="planted-1234").release(form.encode(), ["http://evil.example:80"])
    assert vault(key="planted-1234").release(b"harmless", ["http://evil.example:80"]) == b"harmless"


@pytest.mark.parametrize("form", ["pl\u00e4nted-1234", "pl%C3%A4nted-1234"])
def test_nor_in_letters_of_several_bytes(form: str) -> None:
    kept = vault(key="pl\u00e4nted-1234")
    with pytest.raises(BadRequest, match="a secret that the target repeated may not go to"):
        kept.release(form.encode(), ["http://evil.example:80"])


def test_what_is_saved_is_concealed() -> None:
    kept = vault(key="planted-1234", short="7 chars", long="8 chars.")
    saved = kept.concealed({"a": ["x planted-1234 y", 1, None], "b": ["7 chars", "planted-1234"], "8 chars.": 1})
    assert "planted" not in str(saved) and "8 chars" not in str(saved)
    assert saved["b"] == ["7 chars", kept.tokens["key"]], "short values occur by chance"
    assert kept.release_text(saved["a"][0], [HERE]) == "x planted-1234 y"


def test_redaction_knows_placeholders() -> None:
    kept = vault(key="planted-1234")
    assert kept.redact(f"a {kept.tokens['key']} b") == f"a {MASK} b"
    assert kept.redact.cut(f"a {kept.tokens['key']} b", 9) == f"a {MASK} b"
    assert kept.redact(f"cut {kept.tokens['key'][:20]}") == f"cut {MASK}"


def test_json_is_marked_once() -> None:
    """Part of a packet is marked as JSON before the packet is."""
    kept = Vault({"key": ODD}, [HERE])
    packet = f'["a","{wrapped(JSON, kept.tokens["key"])}","{kept.tokens["key"]}"]'.encode()
    assert json.loads(kept.release(in_json(packet), [HERE])) == ["a", ODD, ODD]


def test_an_event_is_never_a_secret() -> None:
    target = compiled({"event": "{{ saved.name }}"}, protocol="socketio")
    assert target.endpoint.vault is not None
    saved = target.endpoint.vault.concealed({"name": ODD})
    with pytest.raises(BadRequest, match="a secret cannot be the name of an event"):
        target.render({**TURN, "saved": saved})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://b\u00fccher.example", "http://xn--bcher-kva.example:80"),
        ("https://BOT.example.", "https://bot.example:443"),
        ("wss://bot.example:8443/chat", "https://bot.example:8443"),
        ("grpc://[::1]", "http://[::1]:80"),
        ("ws://127.0.0.1:80", "http://127.0.0.1:80"),
    ],
)
def test_an_origin_is_the_same_however_it_is_written(url: str, origin: str) -> None:
    spec = build_target_spec(
        name="bot", url=url, preset="generic-json", secrets={"key": "planted-1234"}, secret_origins=[origin]
    )
    endpoint = CompiledTarget(spec).endpoint
    assert endpoint.vault is not None
    assert endpoint.release_text(endpoint.vault.tokens["key"]) == "planted-1234"
    assert endpoint.marker == MARK_BYTES
    for headers in ([("Host", "evil.example")], [("hOST", f"{endpoint.host_header}:81")], [("host", "a b")]):
        with pytest.raises(BadRequest, match="may not go to"):
            endpoint.release_text(endpoint.vault.tokens["key"], headers)


@pytest.mark.parametrize("no_proxy", [[], ["bot.example"]])
def test_a_proxy_counts_where_it_is_used(no_proxy: list[str]) -> None:
    spec = build_target_spec(
        name="bot",
        url="http://bot.example",
        preset="generic-json",
        overrides={"proxy": {"url": "http://proxy:3128", "no_proxy": no_proxy}},
        secrets={"key": "planted-1234", "proxy_password": "planted-5678"},
        secret_origins=[HERE],
    )
    endpoint = CompiledTarget(spec).endpoint
    assert endpoint.vault is not None
    if no_proxy:
        assert endpoint.release_text(endpoint.vault.tokens["key"]) == "planted-1234"
        assert endpoint.proxy is None
        return
    with pytest.raises(BadRequest, match="the secret key may not go to http://proxy:3128"):
        endpoint.release_text(endpoint.vault.tokens["key"])
    with pytest.raises(BadRequest, match="the secret proxy_password may not go to http://proxy:3128"):
        assert endpoint.proxy


def test_a_proxy_without_a_password_is_used_wherever_secrets_may_go() -> None:
    spec = build_target_spec(
        name="bot",
        url="http://bot.example",
        preset="generic-json",
        overrides={"proxy": {"url": "http://proxy:3128"}},
        secrets={"key": "planted-1234"},
        secret_origins=[HERE],
    )
    assert CompiledTarget(spec).endpoint.proxy is not None


def test_a_target_without_secrets_has_no_vault() -> None:
    spec = build_target_spec(name="bot", url="http://bot.example", preset="generic-json")
    assert CompiledTarget(spec).endpoint.vault is None


def test_the_list_of_origins_replaces_what_the_target_names() -> None:
    spec = build_target_spec(
        name="bot", url="http://bot.example", preset="generic-json", secrets={"a": "b"}, secret_origins=[]
    )
    target = CompiledTarget(spec)
    assert target.endpoint.vault is not None
    assert target.endpoint.vault.allowed == frozenset()
    assert TargetSpec.model_validate(spec.wire_dict()).secret_origins == ()
