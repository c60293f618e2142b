"""What raises each code: small servers that misbehave, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from connectors.errors import PATIENCE_CODES, Aborted, LostPatience, NotProcessed, TurnError, Unanswered
from tests.hostile import grpc, http
from tests.hostile.frames import CLOSE, frame, read_message, upgrade
from tests.hostile.good import GOOD
from tests.hostile.server import Peer, Script
from tests.hostile.table import BEHAVIOURS, JSON_TYPE, whole
from tests.integration.connectors.lanes import ROOMY, TIMEOUTS

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = {behaviour.id: behaviour for behaviour in BEHAVIOURS}
Told = dict[str, Any]


class Case(NamedTuple):
    """`says`: words of the error's detail and advice together, those of a report's advice included. `lies`: words that
    would be false of this case."""

    name: str
    code: str
    protocol: str
    script: Script | None
    says: tuple[str, ...]
    lies: tuple[str, ...] = ()
    spec: Told = {}
    turns: int = 1
    tls: str = ""
    url: str = ""
    preset: str = ""


def of(hostile: str, *says: str, lies: tuple[str, ...] = ()) -> Case:
    """A behaviour of the hostile table."""
    found = HOSTILE[hostile]
    code = found.code or ""
    limits = ROOMY | ({code.removesuffix("_timeout"): 0.5} if code.endswith("_timeout") else {})
    return Case(hostile, code, found.protocol, found.script, says, lies, {"timeouts": limits})


def answers(data: bytes) -> Script:
    """A server that gives the same answer to each request."""

    def script(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(data)

    return script


def says_first(data: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        peer.hold()

    return script


def page(text: str, status: str = "200 OK") -> Script:
    return answers(whole(text.encode(), "Content-Type: text/html", status=status))


def status_case(status: int, *says: str, lies: tuple[str, ...] = (), body: str = '{"error": "no"}') -> Case:
    script = answers(whole(body.encode(), JSON_TYPE, "Location: /v2", status=f"{status} X"))
    return Case(f"status_{status}", f"http_{status}", "http", script, says, lies)


def grpc_case(code: str, status: str, *says: str) -> Case:
    def script(peer: Peer) -> None:
        stream = grpc._begin(peer)
        peer.send(grpc.trailers(stream, status, ("grpc-message", "so it is")))
        peer.hold()

    return Case(f"grpc_{status}", code, "grpc", script, says)


def closes(code: int, reason: str, *says: str, lies: tuple[str, ...] = ()) -> Case:
    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        peer.send(frame(code.to_bytes(2, "big") + reason.encode(), CLOSE))
        peer.hold()

    return Case(f"closes_{code}", f"ws_closed_{code}", "websocket", script, says, lies)


def opens_as_v2(peer: Peer) -> None:
    """As Socket.IO 2, the server sends no sid; but its first packet was that of a later one."""
    upgrade(peer)
    peer.send(frame(b'0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":5000,"maxPayload":9}'))
    peer.send(frame(b"40"))
    peer.hold()


def speaks_plain_websocket(peer: Peer) -> None:
    upgrade(peer)
    peer.send(frame(b'{"text": "Welcome!"}'))
    peer.hold()


def greets_as_engine_io(peer: Peer) -> None:
    upgrade(peer)
    read_message(peer)
    peer.send(frame(b'0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'))
    peer.hold()


def closes_idle(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(http.GOOD))
    peer.receive()


def closes_unanswered(peer: Peer) -> None:
    peer.read_request()


def named(*events: tuple[str, str]) -> Script:
    text = "".join(f"event: {name}\ndata: {data}\n\n" for name, data in events)
    return answers(whole(text.encode(), "Content-Type: text/event-stream"))


def kinds(kind: str) -> Told:
    return {"response": {"kind": kind, "kinds": {"token": {"delta": "t"}}, "delta": None, "text": None, "done": None}}


def wants_a_token(peer: Peer) -> None:
    while True:
        peer.read_request()
        status = "200 OK" if b"Bearer" in peer.last else "401 Unauthorized"
        peer.send(whole(b'{"error": "who are you?"}', JSON_TYPE, status=status))


LOG_IN = '<!doctype html><title>Sign in</title><form><input name=u><input type="password" name=p></form>'
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
UNSET = {"request": {"headers": {"Authorization": "Bearer {{ secret.bot_key }}"}}}
CASES = [
    # connecting
    Case("no_such_name", "dns_failed", "http", None, ("check the host name",), url="http://no-such-host.invalid"),
    Case("nobody_there", "connect_refused", "http", None, ("start the target",), url="http://127.0.0.1:{free}"),
    Case("metadata", "address_blocked", "http", None, ("no setting allows",), url="http://169.254.169.254"),
    Case(
        "tls_is_not_answered", "connect_timeout", "http", Peer.hold, ("did not answer in TLS", "https or http?"),
        ("accept queue",), {"timeouts": TIMEOUTS}, url="https://127.0.0.1:{port}",
    ),
    Case(
        "upgrade_is_not_answered", "connect_timeout", "websocket", Peer.hold, ("no answer to the upgrade",),
        ("accept queue", "TLS within"), {"timeouts": TIMEOUTS},
    ),
    Case(
        "plain_on_a_tls_url", "tls_failed", "http", lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("not TLS", "https or http?"), url="https://127.0.0.1:{port}",
    ),
    Case("unknown_authority", "tls_failed", "http", http.good, ("tls.ca_file",), ("http?",), tls="plain",
         spec={"tls": {}}),
    Case("certificate_wanted", "tls_failed", "http", http.good, ("tls.cert_file",), ("crash",), tls="mutual_1.2"),
    Case("certificate_wanted_websocket", "tls_failed", "websocket", GOOD["websocket"], ("tls.cert_file",), ("crash",),
         tls="mutual_1.2"),
    # what is there speaks something else
    Case("http2_only", "http_malformed", "http", says_first(SETTINGS), ("HTTP/2", "HTTP/1.1")),
    Case("tls_alert", "http_malformed", "http", says_first(b"\x15\3\1\0\2\2\x46"), ("TLS", "https://")),
    Case("ssh", "http_malformed", "http", says_first(b"SSH-2.0-x\r\n"), ("SSH", "check host and port")),
    of("aws-eventstream-wrong_checksum_of_a_message", "checksum", "aws-eventstream", "no Amazon event stream"),
    Case("http2_only_upgrade", "upgrade_malformed", "websocket", says_first(SETTINGS), ("HTTP/2",)),
    Case("ssh_upgrade", "upgrade_malformed", "websocket", says_first(b"SSH-2.0-x\r\n"), ("SSH", "host and port")),
    Case(
        "tls_port_closes_on_http", "connection_closed", "http", closes_unanswered, ("https://",),
        ("crash", "end of the answer"),
    ),
    of("http2-answer_in_http1", "HTTP/1.1", "http.version"), of("http2-stream_reset", "log"),
    of("http2-goaway_in_the_answer", "too_many_pings", "attack"), of("http2-no_settings", "HTTP/2"),
    of("http2-no_stream_is_allowed", "allows 0 at a time"), of("http2-pings_without_end", "no answer"),
    of("http-reset_before_a_byte", "https://", "log", lies=("crash",)),
    Case("polling_only", "http_400", "socketio", answers(whole(b"Invalid transport", status="400 Bad Request")),
         ("socketio.transport", "polling"), ("--model",)),
    Case("polling_only_node", "http_400", "socketio",
         answers(whole(b'{"code":0,"message":"Transport unknown"}', status="400 Bad Request")),
         ("socketio.transport", "polling"), ("--model",)),
    Case("version_refused", "http_400", "socketio",
         answers(whole(b'{"code":5,"message":"Unsupported protocol version"}', status="400 Bad Request")),
         ("Socket.IO v2, v3 and v4 are supported", "version"), ("--model",)),
    Case("socketio_v2", "socketio_protocol", "socketio", opens_as_v2,
         ("Socket.IO v2, v3 and v4 are supported", "socketio.eio")),
    Case("plain_websocket", "socketio_protocol", "socketio", speaks_plain_websocket, ("generic-websocket",)),
    Case("no_socketio_there", "http_404", "socketio", page("<html>", "404 Not Found"), ("socketio.path",)),
    Case("socketio_for_websocket", "json_invalid", "websocket", greets_as_engine_io, ("generic-socketio",)),
    Case("a_site_for_websocket", "http_200", "websocket", page("<html>shop</html>"), ("not as WebSocket",)),
    Case("moved_websocket", "http_301", "websocket",
         answers(whole(b"", "Location: wss://bot.example/", status="301 Moved")), ("wss://bot.example/",),
         ("or set follow_redirects",)),
    # log-ins
    Case("log_in_page", "json_invalid", "http", page(LOG_IN), ("Sign in", "password", "log in by a handshake")),
    Case("web_page", "json_invalid", "http", page("<html><title>Shop</title>"), ("Shop", "base URL"), ("log in by",)),
    Case("log_in_page_for_a_stream", "json_invalid", "sse", page(LOG_IN), ("password", "log in by a handshake")),
    Case("log_in_redirect", "http_302", "http",
         answers(whole(b"", "Location: /oauth2/start", status="302 Found")), ("/oauth2/start", "log-in")),
    Case("log_in_403", "http_403", "http", page(LOG_IN, "403 Forbidden"), ("asks for a password",)),
    # streams and whole answers
    Case("stream_for_a_whole", "json_invalid", "http",
         answers(whole(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', "Content-Type: text/event-stream")),
         ("server-sent events", "--stream")),
    Case("lines_for_a_whole", "json_invalid", "http",
         answers(whole(b'{"response":"a"}\n{"response":"b"}\n', "Content-Type: application/x-ndjson")),
         ("per line", "--stream")),
    Case("empty_body", "answer_empty", "http", answers(whole(b"")), ("body is empty",), ("--stream",)),
    Case("plain_text", "json_invalid", "http", answers(whole(b"Hello you")), ("plain text", "response.format to text")),
    Case("xml", "json_invalid", "http", answers(whole(b"<?xml version='1.0'?><a/>")), ("XML", "format to xml")),
    Case("no_xml", "xml_invalid", "http", answers(whole(b'{"response": "a"}')), ("expected XML", "response.format"),
         spec={"response": {"format": "xml", "text": "a"}}),
    Case("a_page_for_a_text", "answer_unmatched", "http", page(LOG_IN), ("expected a text", "log in by a handshake"),
         spec={"response": {"format": "text"}}),
    Case("whole_for_a_stream", "answer_unmatched", "sse", answers(whole(b'{"answer": "hello"}')),
         ("leave --stream out", "answer")),
    Case("a_kind_not_listed", "answer_unmatched", "sse",
         answers(whole(b'data: {"type":"chunk","t":"hello"}\n\n', "Content-Type: text/event-stream")),
         ("'chunk'", "'token'", "response.kinds"), spec=kinds("type")),
    Case("a_name_not_listed", "answer_unmatched", "sse", named(("ping", "{}"), ("chunk", '{"t": "hello"}')),
         ("'chunk'", "'token'", "response.kinds"), spec=kinds("@event")),
    Case("a_kind_not_listed_whole", "answer_unmatched", "http", answers(whole(b'{"type":"chunk","text":"hello"}')),
         ("'chunk'", "response.kinds"),
         spec={"response": {"kind": "type", "kinds": {"token": {"text": "t"}}, "delta": None, "text": None}}),
    # secrets
    Case("unset_secret", "http_401", "http", wants_a_token,
         ("the secret bot_key is not set", "TOKENBURN_SECRET_BOT_KEY"), spec=UNSET),
    # a kept connection
    Case("closed_while_idle", "connection_reused_closed", "http", closes_idle, ("keep-alive",), ("crash",), turns=2),
    # the rest of the codes
    of("http-silence", "overloaded"), of("sse-done_never_comes", "end mark"), of("http-byte_by_byte", "limit"),
    of("http-closed_inside_the_head", "in the middle of the headers", lies=("before it answered",)),
    of("socketio-refuses_in_the_middle"),
    of("websocket-fin_without_close", "close frame", lies=("before it answered",)),
    of("http-content_length_too_long", lies=("announced",)), of("http-corrupt_gzip", "compressed"),
    of("http-invalid_utf8", "UTF-8"), of("http-endless_headers", "limits"), of("http-endless_body", "limits"),
    of("sse-endless_line", "limits"), of("websocket-huge_message", "limits"), of("http-deeply_nested_json", "deeply"),
    of("http-no_http", "port"), of("split-websocket-wrong_accept", "port and path"),
    of("websocket-masked_frame", "masked"), of("socketio-connect_refused", "namespace"),
    of("socketio-opens_with_no_sid", "version"), of("grpc-http1_answer", "gRPC"),
    of("sse-ends_without_done", "end mark"),
    of("http-error_with_200"), of("http-another_shape", "shape shown"), of("sse-empty_stream"),
    Case("empty_text", "answer_empty", "http", answers(whole(b'{"choices":[{"message":{"content":""}}]}')),
         ("expect_text",)),
    Case("kind_not_allowed", "expect_failed", "http",
         answers(whole(b'{"choices":[{"finish_reason":"length","message":{"content":"ab"}}]}')), ("expect_text",),
         spec={"response": {"expect_text": ["complete"]}}),
    Case("codec", "codec_failed", "http", answers(whole(b'"%%%"')), ("codec",),
         spec={"codec": {"response": [{"name": "base64"}]}}),
    Case("template", "request_invalid", "http", http.good, ("does not exist",),
         spec={"request": {"path": "/x/{{ saved.room }}"}}),
    Case("secret_for_another_origin", "secret_withheld", "http", http.good, ("origin",),
         spec={"secrets": {"bot_key": "sk-withheld-1"},
               "request": {"headers": {"Host": "{{ params.host }}", "Authorization": "{{ secret.bot_key }}"}},
               "params": {"host": "evil.example"}}),
    Case("unset_secret_in_a_path", "request_invalid", "websocket", GOOD["websocket"],
         ("the secret room is not set",), spec={"request": {"path": "/x?r={{ secret.room }}&s={{ session.id }}"}}),
    # statuses
    status_case(308, "points to /v2", "follow_redirects"), status_case(400, "request"), status_case(402, "payment"),
    status_case(404, "address"), status_case(405, "path and method"), status_case(407, "proxy_user"),
    status_case(408, "request"), status_case(410), status_case(413, "larger"), status_case(415, "content type"),
    status_case(422, "form"), status_case(426, "WebSocket"), status_case(429, "limit"),
    status_case(500, "log"), status_case(501, "request"), status_case(502, "gateway", lies=("target itself failed",)),
    status_case(503, "overloaded"), status_case(504, "gateway", lies=("target itself failed",)),
    status_case(505, "HTTP/1.1"), status_case(520, "gateway"), status_case(529, "overloaded"),
    closes(1000, "", "properly", lies=("crash",)), closes(1008, "no token", "credentials"),
    closes(1009, "", "larger"),
    closes(1011, "", "failed"), closes(1012, "", "restarts"), closes(1013, "", "overloaded"), closes(4001, "", "own"),
    grpc_case("grpc_cancelled", "1", "cancelled"), grpc_case("grpc_invalid_argument", "3", "mapping"),
    grpc_case("grpc_deadline_exceeded", "4", "own"), grpc_case("grpc_permission_denied", "7", "permissions"),
    grpc_case("grpc_resource_exhausted", "8", "limit"), grpc_case("grpc_unimplemented", "12", "grpc.method"),
    grpc_case("grpc_unavailable", "14", "proxy"), grpc_case("grpc_unauthenticated", "16", "secret"),
    grpc_case("grpc_internal", "13", "so it is"),
]  # fmt: skip
MADE: list[tuple[TurnError | str, tuple[str, ...]]] = [
    (Aborted(), ("unknown",)),
    (Unanswered(9.0, 1.0), ("hang",)),
    *((LostPatience(code), ()) for code in PATIENCE_CODES),
    ("engine_died", ("engine died",)),
    # Raised where this machine's own limits or network are changed: transport/test_sources.py, http/test_proxy.py,
    # tests/unit/connectors/wire/transport/test_addresses.py.
    ("local_resources", ("this machine",)),
    ("connect_unreachable", ("network",)),
    ("proxy_refused", ("proxy",)),
    (NotProcessed("the target refused the stream"), ("streams",)),
]
"""What no server raises by itself."""
