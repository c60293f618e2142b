"""Redirects are followed only where the target says so: each hop is checked, credentials stay with their origin."""

from __future__ import annotations

import time
from typing import Any

import pytest

from connectors.errors import Refused
from connectors.http.redirects import RedirectChain
from connectors.mapping.request import RenderedRequest
from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from tests.hostile import http, ndjson, sse
from tests.hostile.table import chunk, whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.integration.connectors.scripted import Asked, scripted

lanes = pytest.mark.parametrize("lane", LANES)
STATUSES = {301: "GET", 302: "GET", 303: "GET", 307: "POST", 308: "POST"}
GOOD = {
    "http": whole(http.GOOD),
    "sse": sse.STREAM_HEAD + b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE)) + b"0\r\n\r\n",
    "ndjson": ndjson.LINES_HEAD + chunk(ndjson.BODY) + b"0\r\n\r\n",
}


def to(location: str, status: int = 307) -> bytes:
    return whole(b"elsewhere", "Content-Type: text/plain", f"Location: {location}", status=f"{status} Moved")


def spec_to(url: str, protocol: str = "http", *, secrets: dict[str, str] | None = None, **overrides: Any) -> TargetSpec:
    spec = make_spec(protocol, url, **{"follow_redirects": True} | overrides)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": secrets or {}})


@lanes
@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_is_an_error_unless_the_target_says_otherwise(lane: Lane, status: int) -> None:
    with scripted(lambda _: to("/there", status)) as here:
        turn = one_turn(lane, make_spec("http", here.url))
        assert here.server.connections == 1
    assert turn.error is not None
    assert turn.code == f"http_{status}"
    assert "follow_redirects" in turn.error.advice


@lanes
@pytest.mark.parametrize("protocol", GOOD)
@pytest.mark.parametrize("status", STATUSES)
def test_method_and_body_go_on_as_the_status_says(lane: Lane, status: int, protocol: str) -> None:
    def answer(request: Asked) -> bytes:
        return GOOD[protocol] if request.path == "/there?x=1" else to("/there?x=1#part", status)

    with scripted(answer) as here, Client(lane, spec_to(here.url, protocol)) as client:
        turns = client.say_all(["one", "two"])
        assert [(t.code, t.text) for t in turns] == [(None, http.TEXT)] * 2, turns[0].error
        first, second, *_ = here.requests
    assert (first.method, second.method) == ("POST", STATUSES[status])
    assert second.body == (first.body if second.method == "POST" else b"")
    assert ("content-type" in second.headers) == ("content-length" in second.headers) == (second.method == "POST")


@lanes
def test_a_turn_behind_redirects_is_one_turn_whose_time_is_all_of_it(lane: Lane) -> None:
    def answer(request: Asked) -> bytes:
        time.sleep(0.1)  # the target's own slowness, three times
        return GOOD["http"] if request.path == "/2" else to("/2" if request.path == "/1" else "/1")

    with scripted(answer) as here:
        turn = one_turn(lane, spec_to(here.url))
        assert len(here.paths) == 3
    line = turn.timeline
    assert line.sent_ns is not None
    assert line.done_ns is not None
    assert line.first_byte_ns is not None
    assert line.done_ns - line.sent_ns > 300_000_000
    assert line.first_byte_ns - line.sent_ns > 300_000_000, "of the answer, not of what pointed to it"
    assert set(line.handshake_ns or {}) == {"resolve", "connect"}


@lanes
def test_the_deadline_is_that_of_all_hops_together(lane: Lane) -> None:
    def answer(_: Asked) -> bytes:
        time.sleep(0.3)  # each within the time that one answer may take
        return to("/on")

    with scripted(answer) as here:
        turn = one_turn(lane, spec_to(here.url, timeouts=ROOMY | {"total": 1}))
    assert turn.code == "total_timeout"
    assert turn.late_s < 11


@lanes
def test_the_sixth_redirect_is_not_followed(lane: Lane) -> None:
    with scripted(lambda _: to("/round")) as here:
        turn = one_turn(lane, spec_to(here.url, timeouts={"total": 30, "first_byte": 30, "idle": 30}))
        assert len(here.paths) == 6
    assert turn.error is not None
    assert turn.code == "http_307"
    assert "more than 5" in turn.error.detail


@lanes
@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("", "where to"),
        ("ftp://127.0.0.1/x", "http(s)"),
        ("file:///etc/passwd", "http(s)"),
        ("http://user:word@127.0.0.1/", "user or password"),
        ("http://127.0.0.1:99999/", "http(s)"),
        ("http://[::1/", "http(s)"),
    ],
)
def test_what_is_no_place_to_go_to_is_not_followed(lane: Lane, location: str, why: str) -> None:
    with scripted(lambda _: to(location)) as here:
        turn = one_turn(lane, spec_to(here.url))
    assert turn.error is not None
    assert turn.code == "http_307"
    assert why in turn.error.detail
    assert turn.error.advice


@lanes
def test_credentials_stay_at_their_origin(lane: Lane) -> None:
    headers = {
        "Authorization": "Bearer {{ secret.api_key }}",
        "Cookie": "a=b",
        "X-Key": "key {{ secret.api_key }}",
        "X-Plain": "plain",
    }
    with scripted(lambda _: GOOD["http"]) as there:

        def answer(request: Asked) -> bytes:
            return to(f"{there.url}/end") if request.path == "/same" else to("/same")

        with scripted(answer) as here:
            spec = spec_to(here.url, secrets={"api_key": "planted-key"}, request={"headers": headers})
            assert one_turn(lane, spec).code is None
            same = here.requests[1]
        [other] = there.requests
    assert {same.headers[name] for name in ("authorization", "cookie", "x-key")} == {
        "Bearer planted-key",
        "a=b",
        "key planted-key",
    }
    assert not {"authorization", "cookie", "x-key"} & set(other.headers)
    assert other.headers["x-plain"] == "plain"
    assert other.headers["host"] == f"127.0.0.1:{there.server.port}"


@lanes
def test_a_secret_in_the_body_does_not_go_elsewhere(lane: Lane) -> None:
    with scripted(lambda _: GOOD["http"]) as there, scripted(lambda _: to(f"{there.url}/end")) as here:
        spec = spec_to(here.url, secrets={"api_key": "planted-key"}, request={"body": {"key": "{{ secret.api_key }}"}})
        turn = one_turn(lane, spec)
        assert there.server.connections == 0
    assert turn.error is not None
    assert turn.code == "http_307"
    assert "planted-key" not in turn.error.detail


@lanes
@pytest.mark.parametrize("location", ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"])
def test_each_hop_is_judged(lane: Lane, location: str) -> None:
    with scripted(lambda _: to(location)) as here:
        turn = one_turn(lane, spec_to(here.url))
    assert turn.code == "address_blocked"


@lanes
def test_a_step_of_the_handshake_follows_unless_it_expects_the_redirect(lane: Lane) -> None:
    def answer(request: Asked) -> bytes:
        if request.path == "/login":
            return to("/done", 302)
        return whole(b'{"token":"t"}') if request.path == "/done" else GOOD["http"]

    step = {"name": "login", "url": "/login"}
    with scripted(answer) as here:
        follows = spec_to(here.url, handshake={"steps": [{**step, "save": {"token": "token"}}]})
        assert one_turn(lane, follows).code is None
        assert here.paths[:2] == ["POST /login", "GET /done"]
        expects = spec_to(here.url, handshake={"steps": [{**step, "expect": [302]}]})
        assert one_turn(lane, expects).code is None
        assert here.paths[3] == "POST /login"
        assert here.paths[4].startswith("POST /chat")


def test_https_never_becomes_http() -> None:
    spec = build_target_spec(name="t", url="https://bot.example", preset="openai-chat")
    target = CompiledTarget(spec)
    chain = RedirectChain(target.endpoint, RenderedRequest("POST", "/", (), b""), [], Timeline(target.response, 0))
    with pytest.raises(Refused, match="from https to http"):
        chain.next(Refused(307), "http://bot.example/")


@lanes
@pytest.mark.parametrize("location", ["/sso?next=x", "https://login.example/", "http://127.0.0.1:9/slash/", ""])
def test_a_redirect_that_is_not_followed_says_where_it_points_to(lane: Lane, location: str) -> None:
    with scripted(lambda _: to(location, 302)) as here:
        turn = one_turn(lane, make_spec("http", here.url))
    assert turn.error is not None
    where = f"it points to {location}" if location else "it does not say where to"
    assert (turn.code, turn.error.detail) == ("http_302", f"{where}; elsewhere")
    assert "follow_redirects" in turn.error.advice


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_redirect_to_a_log_in_page_is_said_to_be_one(lane: Lane, protocol: str, status: int) -> None:
    page = whole(b"<html>please log in</html>", "Content-Type: text/html")
    with scripted(lambda request: page if request.path == "/sso" else to("/sso", status)) as here:
        turn = one_turn(lane, spec_to(here.url, protocol, timeouts=ROOMY))
    assert turn.error is not None
    assert turn.code == "json_invalid"
    assert turn.error.detail.startswith(f"behind the redirect to {here.url}/sso: ")
    assert "log-in" in turn.error.advice


@lanes
def test_a_redirect_that_leads_nowhere_says_where_that_is(lane: Lane) -> None:
    with scripted(lambda _: to("http://127.0.0.1:1/x")) as here:
        turn = one_turn(lane, spec_to(here.url))
    assert turn.error is not None
    assert turn.code == "connect_refused"
    assert turn.error.detail.startswith("behind the redirect to http://127.0.0.1:1/x: ")


@lanes
def test_a_refusal_behind_a_redirect_says_where_it_came_from(lane: Lane) -> None:
    gone = whole(b"no", "Content-Type: text/plain", status="404 Not Found")
    with scripted(lambda request: gone if request.path == "/x" else to("/x")) as here:
        turn = one_turn(lane, spec_to(here.url))
    assert turn.error is not None
    assert (turn.code, turn.error.detail) == ("http_404", f"behind the redirect to {here.url}/x: no")
