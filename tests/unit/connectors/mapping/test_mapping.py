"""Request templates and response paths."""

from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.errors import BadRequest
from connectors.mapping.answers.paths import compile_path, null_test
from connectors.spec import SpecError, TargetSpec, build_target_spec, parse_target_spec
from connectors.target import CompiledTarget

TURN = {
    "message": "hi",
    "messages": [{"role": "user", "content": "hi"}],
    "history": [],
    "session": {"id": "s1", "number": 4},
    "turn": 2,
    "vars": {"course": "MED1060"},
}


def target(body: object = None, **request: object) -> CompiledTarget:
    return CompiledTarget(
        parse_target_spec(
            {
                "name": "t",
                "protocol": "http",
                "url": "http://127.0.0.1:9/v1",
                "request": {"body": body, **request},
                "response": {"text": "text"},
                "params": {"model": "m1", "limit": 5},
                "secrets": {"api_key": "k-1"},
            }
        )
    )


def rendered(body: object) -> object:
    return orjson.loads(target(body).render(dict(TURN)).body)


def test_a_whole_expression_keeps_its_type() -> None:
    assert rendered({"n": "{{ params.limit }}", "m": "{{ messages }}", "t": "{{ turn }}"}) == {
        "n": 5,
        "m": TURN["messages"],
        "t": 2,
    }


def test_a_mixed_string_becomes_text() -> None:
    assert rendered({"a": "{{ vars.course }}-{{ turn }}: {{ message }}"}) == {"a": "MED1060-2: hi"}


def test_what_is_not_there_is_left_out() -> None:
    body = {"a": "{{ params.nope }}", "b": ["{{ vars.nope }}", "x {{ vars.nope }}", 1], "c": {"d": "{{ vars.nope }}"}}
    assert rendered(body) == {"b": [1], "c": {}}


def test_a_header_without_its_secret_is_left_out() -> None:
    spec = build_target_spec(name="t", url="http://127.0.0.1:9/v1", preset="openai-chat")
    assert CompiledTarget(spec).render(dict(TURN)).headers == ()
    spec = build_target_spec(name="t", url="http://127.0.0.1:9/v1", preset="openai-chat", secrets={"api_key": "x"})
    target = CompiledTarget(spec)
    assert target.endpoint.released(target.render(dict(TURN))).headers == (("Authorization", "Bearer x"),)


@pytest.mark.parametrize(
    ("path", "whole"),
    [("/chat", "/v1/chat?key=k"), ("/chat?stream=1", "/v1/chat?stream=1&key=k"), ("/{{ turn }}?a", "/v1/2?a&key=k")],
)
def test_the_urls_own_query_follows_that_of_the_path(path: str, whole: str) -> None:
    data = {"name": "t", "protocol": "http", "url": "http://127.0.0.1:9/v1?key=k", "request": {"path": path}}
    assert CompiledTarget(parse_target_spec({**data, "response": {"text": "text"}})).render(dict(TURN)).path == whole


def test_other_expressions_run_in_the_sandbox() -> None:
    assert rendered({"a": "{{ message | upper }}", "b": "{{ turn + 1 }}"}) == {"a": "HI", "b": 3}
    assert rendered({"a": "{{ message.__class__ }}"}) == {}
    for unsafe in ("{{ message.__class__ | string }}", "{{ message.__class__() }}"):
        with pytest.raises(BadRequest, match="request_invalid"):
            target({"a": unsafe}).render(dict(TURN))


@pytest.mark.parametrize(
    "text", ["{{ nobody.knows }}", "{{ nobody | upper }}", "{{ nobody or 1 }}", "{{ 1 + }}", "{{ message | nofilter }}"]
)
def test_a_wrong_expression_is_found_before_the_run(text: str) -> None:
    with pytest.raises(SpecError, match=r"request\.body\.a"):
        target({"a": text})


def test_a_header_cannot_smuggle_a_line() -> None:
    with pytest.raises(BadRequest, match="line break"):
        target(None, headers={"X-A": "{{ message }}"}).render(TURN | {"message": "a\r\nX-B: c"})


@pytest.mark.parametrize("text", ["{{ saved.token }}", "Bearer {{ saved.token }}"])
@pytest.mark.parametrize("value", [{"value": "abc"}, ["abc"]])
def test_a_header_holds_no_object(text: str, value: object) -> None:
    with pytest.raises(BadRequest, match=r"request\.headers\.Authorization: a header cannot hold") as raised:
        target(None, headers={"Authorization": text}).render(TURN | {"saved": {"token": value}})
    assert "abc" not in raised.value.told
    as_json = target(None, headers={"X-A": "{{ saved.token | tojson }}", "X-B": "n {{ turn }}", "X-C": "{{ turn }}"})
    headers = dict(as_json.render(TURN | {"saved": {"token": value}}).headers)
    assert headers == {"X-A": orjson.dumps(value).decode().replace(":", ": "), "X-B": "n 2", "X-C": "2"}


def test_what_a_body_calls_headers_is_none() -> None:
    found = target({"headers": {"a": "n {{ saved.token }}"}}).render(TURN | {"saved": {"token": [1]}})
    assert orjson.loads(found.body) == {"headers": {"a": "n [1]"}}


def test_what_no_turn_could_send_is_found_before_the_run() -> None:
    with pytest.raises(SpecError, match=r"request\.path"):
        target(None, path="/{{ params.nope }}")
    with pytest.raises(SpecError, match="line break"):
        target(None, headers={"X-A": "a\r\nX-B: {{ secret.api_key }}"})


def test_the_path_stands_below_the_base_address() -> None:
    assert target(None, path="/chat/{{ session.id }}").render(dict(TURN)).path == "/v1/chat/s1"


def test_constant_headers_are_one_object_from_turn_to_turn() -> None:
    one = target({"m": "{{ message }}"}, headers={"X-K": "{{ secret.api_key }}"})
    assert one.render(dict(TURN)).headers is one.render(dict(TURN)).headers


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_characters="{}")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=4))
def test_a_body_without_templates_is_sent_as_it_stands(body: dict[str, object]) -> None:
    assert rendered(body) == body


def test_text_that_is_not_unicode_is_refused_before_the_run_and_in_a_turn() -> None:
    with pytest.raises(SpecError, match=r"request\.body\.a"):
        target({"a": "\ud800"})
    with pytest.raises(BadRequest, match="request_invalid"):
        target({"a": "{{ message }}"}).render(TURN | {"message": "\ud800"})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("choices[0].delta.content", "hi"),
        ("choices[1].delta.content", None),
        ("choices[0].delta.content.more", None),
        ("choices[0].delta.calls[1]", "b"),
        ("choices[0].names[1]", "d"),
        ("choices[5]", None),
        ("choices[5].delta", None),
        ("usage.details.cached", 7),
        ("usage.details", {"cached": 7}),
        ("usage.details.cached.more", None),
        ("cost", None),
        ("choices[0].delta.none || choices[0].delta.content", "hi"),
        ("length(choices)", 1),
        ("length(nope)", None),
    ],
)
def test_a_path_finds_its_value_or_none(path: str, found: object) -> None:
    delta = {"content": "hi", "calls": ["a", "b"]}
    message = {"choices": [{"delta": delta, "names": ["c", "d"]}], "usage": {"details": {"cached": 7}}}
    assert compile_path(path, "x")(message) == found


def test_a_value_in_the_path_cannot_end_the_request_line() -> None:
    turn = {**TURN, "message": "a b\r\nX-Evil: 1", "turn": 7}
    assert target(None, path="/{{ message }}").render(turn).path == "/v1/a%20b%0D%0AX-Evil%3A%201"
    assert target(None, path="/\u00fc/%20?q={{ turn }}").render(turn).path == "/v1/%C3%BC/%20?q=7"


def test_a_wrong_path_names_its_place() -> None:
    with pytest.raises(SpecError, match=r"response\.text"):
        compile_path("a[", "response.text")


def test_secrets_are_in_no_frozen_copy_and_no_repr() -> None:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat", secrets={"api_key": "hush-1"})
    assert "hush-1" not in repr(spec) + str(spec) + str(spec.frozen_dict())
    assert TargetSpec.model_validate(spec.wire_dict()).secrets["api_key"].get_secret_value() == "hush-1"


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "h:80", "http://u:p@h/", "http://h:0/", "http://h:99999/"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="url"):
        build_target_spec(name="t", url=url, preset="openai-chat")


def test_a_null_is_known_at_any_of_the_plain_paths() -> None:
    found = null_test("a", "choices[0].text || choices[0].delta.text", "length(b)", None)
    assert found({"a": None})
    assert found({"a": 1, "choices": [{"text": None}]})
    assert found({"choices": [{"delta": {"text": None}}]})
    nothing: object
    for nothing in ({}, {"a": 1}, {"b": None}, {"choices": [{"delta": {}}]}, {"choices": [{"text": "x"}]}, [], None):
        assert not found(nothing)


ODD_VALUE = "a/b?c=d&e#f ü+%20;~"
ENCODED = "a%2Fb%3Fc%3Dd%26e%23f%20%C3%BC%2B%2520%3B~"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/ask/{{ message }}", f"/v1/ask/{ENCODED}"),
        ("/ask?q={{ message }}&n={{ turn }}", f"/v1/ask?q={ENCODED}&n=2"),
        ("?q={{ message | upper }}", f"/v1?q={ENCODED.upper().replace('%BC', '%9C')}"),
        ("/{{ message ~ 'x' }}/{{ [message] | first }}", f"/v1/{ENCODED}x/{ENCODED}"),
        ("/{{ message | urlencode }}", f"/v1/{ENCODED.replace('%2F', '/')}"),
        ("/x?{{ {'q': message} | urlencode }}", f"/v1/x?q={ENCODED.replace('%20%', '+%')}"),
        ("/{{ 'a b' | urlencode ~ '/' ~ message | urlencode }}", f"/v1/a%20b/{ENCODED.replace('%2F', '/')}"),
        ("/x?k={{ secret.api_key }}", "/v1/x?k=k-1%26%C3%BC"),
        ("/x?k={{ secret.api_key | urlencode }}", "/v1/x?k=k-1%26%C3%BC"),
        ("/x?k={{ 'a&' ~ secret.api_key ~ '&' }}", "/v1/x?k=a%26k-1%26%C3%BC%26"),
        ("/{{ vars.course }}", "/v1/MED1060"),
        ("{{ '/c?d=' ~ turn }}&m={{ message }}", f"/v1/c?d=2&m={ENCODED}"),
    ],
)
def test_a_value_in_a_path_is_encoded_whole(path: str, sent: str) -> None:
    spec = target(None, path=path).spec.model_copy(update={"secrets": {"api_key": SecretStr("k-1&ü")}})
    made = CompiledTarget(spec)
    assert made.endpoint.released(made.render({**TURN, "message": ODD_VALUE})).path == sent


def test_a_missing_value_in_a_path_is_still_an_error() -> None:
    with pytest.raises(BadRequest, match="uses a value that does not exist"):
        target(None, path="/{{ vars.nope }}").render(dict(TURN))


def test_a_message_id_is_one_per_turn_and_a_uuid_always_new() -> None:
    body = {"a": "{{ message_id }}", "b": "x-{{ message_id }}", "u": "{{ uuid }}", "v": "{{ uuid | upper }}"}
    made = target(body, headers={"X-Id": "{{ message_id }}", "X-New": "{{ uuid }}"})
    seen = set()
    for _ in range(2):
        request = made.render(dict(TURN))
        found, headers = orjson.loads(request.body), dict(request.headers)
        assert found["b"] == f"x-{found['a']}" and headers["X-Id"] == found["a"]
        seen |= {found["a"], found["u"], found["v"].lower(), headers["X-New"]}
    assert len(seen) == 8
    assert {str(UUID(text)) for text in seen} == seen


def test_a_message_id_belongs_to_a_turn() -> None:
    with pytest.raises(BadRequest, match="uses a value that does not exist"):
        target(path="/{{ message_id }}").render_connection({"session": {}, "saved": {}})


def test_messages_are_numbered() -> None:
    turn = {**TURN, "messages": [{"role": "user", "content": "$index"}, {"role": "assistant", "content": "b"}]}
    body = {"m": "{{ messages | shaped({'id': session.id ~ '-$index', 'n': '$index', 't': '$index$content'}) }}"}
    assert orjson.loads(target(body).render(turn).body)["m"] == [
        {"id": "s1-0", "n": 0, "t": "0$index"},
        {"id": "s1-1", "n": 1, "t": "1b"},
    ]
