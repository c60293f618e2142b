"""Inputs of all forms: what is read from them, and that hostile ones are neither opened, nor run, nor dear."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from connectors.target import CompiledTarget
from targets.learning.learn import learn
from targets.learning.recorded.curl import read_curl
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.reading import read_inputs
from tests.support.recorded_chats import har
from tests.unit.targets.learning.test_learn import spec_of

ASK = "https://bot.example.com/api/ask"
ANSWER = "HTTP/1.1 200 OK\nContent-Type: application/json\n\n" + '{"answer": "It is in Graz, I think."}'
BROWSERS = f"curl '{ASK}' \\\n  -H 'X-A: 1' \\\n" + r"""  --data-raw $'{"a":"it\'s \u00fc\\n"}'"""
WINDOWS = f'curl ^"{ASK}^" ^\n -H ^"X-A: 1^" ^\n --data-raw ^"^{{^\\^"a^\\^":^\\^"b^\\^"^}}^"'
HEADED = 'content-type: application/json\n\n{"answer": "It is in Graz, I think."}'
QUESTION = {"question": "Where is my parcel?"}
LIMIT_S = 10.0


@pytest.mark.parametrize(
    ("line", "method", "url", "header", "body"),
    [
        (f"curl {ASK} -d '{{\"a\": \"b c\"}}'", "POST", ASK, None, {"a": "b c"}),
        (f"$ curl -sSNX PUT --url={ASK} --json '{{\"a\":1}}'", "PUT", ASK, None, {"a": 1}),
        (BROWSERS, "POST", ASK, ("X-A", "1"), {"a": "it's ü\n"}),
        (WINDOWS, "POST", ASK, ("X-A", "1"), {"a": "b"}),
        (f"curl -G {ASK} --data-urlencode 'q=a b&c'", "GET", f"{ASK}?q=a%20b%26c", None, None),
        (f"curl {ASK} -d a=1 -d 'b=2 3'", "POST", ASK, None, {"a": "1", "b": "2 3"}),
        (f"curl -F msg=hello -F 'file=@/etc/passwd' {ASK}", "POST", ASK, None, {"msg": "hello"}),
        (f"curl -u me:pw {ASK}", "GET", ASK, ("Authorization", "Basic bWU6cHc="), None),
        ("curl https://me:p%77@bot.example.com/api/ask", "GET", ASK, ("Authorization", "Basic bWU6cHc="), None),
        (f'curl {ASK} -H "Authorization: Bearer $KEY" -o out.json', "GET", ASK, ("Authorization", "Bearer $KEY"), None),
        (f"curl bot.example.com/x # {ASK}", "GET", "http://bot.example.com/x", None, None),
        (f"curl {ASK} -d '{{}}' | jq . > /tmp/x", "POST", ASK, None, {}),
    ],
)  # fmt: skip
def test_a_curl_line_is_read_as_a_shell_and_curl_would(
    line: str, method: str, url: str, header: tuple[str, str] | None, body: Any
) -> None:
    [made] = read_curl(line)
    assert (made.method, made.url, made.body) == (method, url, body)
    assert header is None or header in made.headers


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"curl {ASK} -d @/etc/passwd", "file '/etc/passwd', which is not opened"),
        (f"curl {ASK} --data-urlencode q@/etc/passwd", "which is not opened"),
        (f"curl {ASK} -H @headers.txt", "from a file, which is not opened"),
        ("curl $(touch /tmp/tb-ran) -d '{}'", "left to a shell, which is not run"),
        ("curl `touch /tmp/tb-ran`", "left to a shell, which is not run"),
        (f'curl {ASK} -d \'{{"a":1}}', "a quote ' without its end"),
        (f'curl {ASK} -d "$(cat', "without its end"),
        (f"curl {ASK} -d", "-d has no value"),
        ("curl -H 'A: b'", "has no address"),
        ("curl file:///etc/passwd", "is not an address"),
        ("curl http://", "is not an address"),
        ("POST http://me:pw@bot.example.com/ HTTP/1.1\nA: b\n\n{}", "holds a user or password"),
        ('{"log": {"entries": [{"request": {"method": [], "url": "http://me:pw@h/"}}]}}', "no request to a chatbot"),
        (f"curl {ASK} -d '{'&'.join('a=1' for _ in range(2000))}'", "more than 1,000 fields"),
        ("hello there", "none that can be read"),
        ("", "is empty"),
        (b"\x00\xff\xfe\x89PNG", "is not text"),
        ('{"log": 1}', "no log.entries"),
        ('{"log": {"entries": []}}', "no request to a chatbot"),
        ('{"log": ' + "[" * 100 + "]" * 100 + "}", "nested too deeply"),
        ('{"openapi": "3.1.0", "paths": {}}', "does not say where the server is"),
        ("openapi: 3.1.0\na: &a [1]\nb: *a\n", "YAML aliases"),
        ("openapi: [", "not valid YAML"),
        (f"foo\nHTTP/1.1 200 OK\n\ncurl {ASK} -d q=1", "no request to a chatbot"),
    ],
)
def test_what_is_of_no_use_is_refused_and_nothing_is_opened_or_run(line: str | bytes, says: str) -> None:
    with pytest.raises(LearnError) as refused:
        learn([line])
    assert says in str(refused.value)
    assert not Path("/tmp/tb-ran").exists()


def test_what_a_shell_would_replace_in_a_body_is_taken_as_it_is_and_told() -> None:
    made = learn([f'curl {ASK} -d "{{\\"question\\": \\"Where is $(hostname) now?\\"}}"\n\n{ANSWER}'])
    assert made.message == "Where is $(hostname) now?"
    assert any("a shell would replace" in text for text in made.unsure)


@pytest.mark.parametrize(
    "inputs",
    [
        [f"curl {ASK} -d '{json.dumps(QUESTION)}'\n\n{ANSWER}"],
        [f"curl {ASK} -d '{json.dumps(QUESTION)}'", ANSWER],
        [f"curl {ASK} -d '{json.dumps(QUESTION)}'", HEADED],
        [f"POST /api/ask HTTP/1.1\r\nHost: bot.example.com\r\n\r\n{json.dumps(QUESTION)}\r\n{ANSWER}"],
        [f"* Connected\n> POST /api/ask HTTP/1.1\n> Host: bot.example.com\n>\n{json.dumps(QUESTION)}\n< {ANSWER}"],
        [b"\xff\xfe" + f"curl {ASK} -d '{json.dumps(QUESTION)}'\n\n{ANSWER}".encode("utf-16-le")],
    ],
)  # fmt: skip
def test_request_and_answer_come_in_many_forms(inputs: list[str | bytes]) -> None:
    made = learn(inputs)
    assert (made.message, made.url) == (QUESTION["question"], "https://bot.example.com")
    assert made.reading is not None and made.reading.text == "It is in Graz, I think."
    assert made.target()["overrides"]["request"]["path"] == "/api/ask"


def test_an_answer_that_is_cut_off_still_shows_its_preset() -> None:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello you"}]}
    event = {"choices": [{"index": 0, "delta": {"content": "It is "}}]}
    line = f"curl {ASK}/chat/completions -d '{json.dumps(body)}'\n\nHTTP/1.1 200 OK\n\ndata: {json.dumps(event)}\n\n"
    made = learn([line])
    assert (made.preset, made.stream, made.untold) == ("openai-chat", True, [])
    assert any("has no end" in text for text in made.unsure)


def test_halves_of_characters_are_no_hindrance() -> None:
    text = entries("It is in Graz, I think.").replace("in Graz", "in \\ud83d Graz").replace("my parcel", "my \\ud800")
    made = learn([text])
    assert "Where is" in made.message
    assert made.reading is not None and "Graz, I think" in made.reading.text


def test_a_stream_alone_is_read_and_its_request_is_what_cannot_be_told() -> None:
    stream = 'data: {"piece": "It is "}\n\ndata: {"piece": "in Graz."}\n\ndata: [DONE]\n\n'
    made = learn([stream], url="https://bot.example.com/ask")
    assert made.overrides["response"]["delta"] == "piece"
    assert any("message is" in text for text in made.untold)
    assert any("--url" in text for text in learn([stream]).untold)


def test_a_marker_finds_the_message_where_it_is_not_told_by_its_place() -> None:
    line = f"curl {ASK} -d '" + json.dumps({"x1": "[INST] ping [/INST]", "x2": "be brief, please"}) + f"'\n\n{ANSWER}"
    made = learn([line], message="ping")
    assert made.overrides["request"]["body"]["x1"] == "[INST] {{ message }} [/INST]"
    with pytest.raises(LearnError, match="no recorded request holds the message"):
        learn([line], message="pong")


@pytest.mark.parametrize("depth", [10, 300, 600])
def test_secrets_in_a_text_that_is_json_are_found_however_deep_it_is(depth: int) -> None:
    inner = f'{{"password": "hunter-2222", "a": {"[" * depth}{"]" * depth}}}'
    made = learn([f"curl {ASK} -d '{json.dumps(QUESTION | {'x': inner})}'\n\n{ANSWER}"])
    assert made.secrets == {"password": "hunter-2222"}
    assert "hunter" not in json.dumps(made.as_dict())


def entries(answer: str, /, **content: Any) -> str:
    turn = {
        "request": {"method": "POST", "url": ASK, "headers": {}, "body": QUESTION},
        "answer": {"status": 200, "json": {"answer": answer}},
    }
    made = json.loads(har({"turns": [turn]}))
    made["log"]["entries"][-1]["response"]["content"] |= content
    return json.dumps(made)


def test_a_packed_answer_cannot_hold_the_mark_of_a_secret() -> None:
    answer = json.dumps({"answer": "It is in \ue000api_key\ue001Graz, I think."}, ensure_ascii=False)
    made = learn([entries("", encoding="base64", text=b64encode(answer.encode()).decode())])
    assert made.reading is not None
    assert made.reading.text == "It is in api_keyGraz, I think."


def many(number: int) -> dict[str, Any]:
    """Each with a secret of its own, to be compared with all presets."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"Question {number}, please"}]}
    headers = {"Authorization": f"Bearer secret-{number}"}
    request = {"method": "POST", "url": f"{ASK}/v1/chat/completions", "headers": headers, "body": body}
    return {"request": request, "answer": {"status": 200, "json": {"choices": [{"message": {"content": "An answer"}}]}}}


@pytest.mark.parametrize(
    "given",
    [
        entries("x " * 10_000_000),
        entries("", encoding="base64", text=b64encode(bytes(range(256)) * 40_000).decode()),
        entries("", encoding="base64", text="!" * 3_000_000),
        entries("", text="[" * 200_000),
        entries("", text='{"a":' * 60 + "1" + "}" * 60),
        entries("", text="data: {}\n\n" * 60_000),
        entries("", text='{"t":"x"}\n' * 60_000),
        entries("", text=json.dumps([{"type": "text", "text": "a b"}] * 8_000)),
        har({"turns": [many(number) for number in range(1500)]}),
        f"curl {ASK} -d $'{'a' * 3_000_000}'",
        f"curl {ASK} -d '" + json.dumps({f"k{i}": f"{i} or more" for i in range(6_000)}) + "'",
        f"curl {ASK} " + "-H a:b " * 20_000,
        "curl " * 50_000,
        "{{" * 500_000,
        "data: " + "{{ x }}" * 400_000,
        f"curl '{ASK}?" + "a=b&" * 900 + "q=x' -d '{\"message\": \"" + "{{ 7*7 }} {% x %} " * 1000 + "\"}'",
        "HTTP/1.1 200 OK\n" * 100_000,
    ],
    ids=range(17),
)  # fmt: skip
def test_a_hostile_input_takes_bounded_time(given: str) -> None:
    began = time.process_time()
    try:
        made = learn([given], url=ASK)
    except LearnError as refused:
        assert len(str(refused)) < 500
    else:
        assert len(json.dumps(made.as_dict())) < 4_000_000
    assert time.process_time() - began < LIMIT_S


def test_a_recorded_text_is_no_template() -> None:
    body = {"prompt": "What is {{ 7 * 7 }}?", "note": "{{ secret.api_key }} and {% if %}"}
    made = learn([f"curl {ASK} -d '{json.dumps(body)}'\n\n{ANSWER}"])
    assert "secret" not in str(made.secrets)
    context = {
        "message": "hi",
        "messages": [],
        "history": [],
        "session": {"id": "s"},
        "turn": 0,
        "vars": {},
        "saved": {},
    }
    assert json.loads(CompiledTarget(spec_of(made)).render(context).body) == {**body, "prompt": "hi"}


def test_answers_alone_belong_to_the_last_request_without_one() -> None:
    found = read_inputs([f"curl {ASK} -d '{{}}'\ncurl {ASK} -d '{{}}'", ANSWER])
    assert [one.answer is not None for one in found.exchanges] == [False, True]
