"""Without a server: finding a method, messages as JSON and back, the compiler of a .proto, what statuses mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from connectors.errors import BadRequest, BrokenTransport, Refused, TimedOut, TooLarge, TurnError
from connectors.grpc.channel import metadata, options, target_of
from connectors.grpc.methods import Method, find_method, keep_method, known_methods
from connectors.grpc.proto import compile_proto
from connectors.grpc.reflection import ask
from connectors.grpc.status import call_failure, connect_failure, keeps_connection
from connectors.guard import resolve
from connectors.mapping import CompiledTarget
from connectors.spec import SpecError, TargetSpec, build_target_spec
from tests.hostile.grpc import METHOD, PROTO, text_field

EVERYTHING = """\
syntax = "proto3";
package every.thing;
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
enum Mood { MOOD_UNKNOWN = 0; MOOD_KEEN = 1; }
message Note {
  string snake_case = 1;
  int64 long = 2;
  repeated uint64 longs = 3;
  map<string, int64> counts = 4;
  map<bool, Note> notes = 5;
  Mood mood = 6;
  repeated Mood moods = 7;
  bytes raw = 8;
  double real = 9;
  Note inner = 10;
  oneof either { string left = 11; int32 right = 12; }
  optional string maybe = 13;
  google.protobuf.Timestamp at = 14;
  google.protobuf.Struct any = 15;
  google.protobuf.Int64Value wrapped = 16;
  bool flag = 17;
  string other = 18 [json_name = "renamed"];
}
service Notes {
  rpc Take(Note) returns (Note);
  rpc Gather(stream Note) returns (Note);
  rpc Talk(stream Note) returns (stream Note);
}
"""


def spec(**overrides: Any) -> TargetSpec:
    url = "grpc://127.0.0.1:9"
    return build_target_spec(name="test", url=url, preset="generic-grpc", overrides=overrides)


def taking() -> Method:
    return find_method(compile_proto(EVERYTHING), "every.thing.Notes/Take")


def there_and_back(body: Any) -> Any:
    method = taking()
    return orjson.loads(method.decode(method.encode(orjson.dumps(body))))


# --- messages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"snake_case": "gr\u00fc\u00df dich \U0001f600"},
        {"long": (1 << 63) - 1, "longs": [0, (1 << 64) - 1]},
        {"counts": {"a": -(1 << 63)}, "notes": {"true": {"long": 3}}},
        {"mood": "MOOD_KEEN", "moods": ["MOOD_UNKNOWN", "MOOD_KEEN"]},
        {"raw": "AAH/"},
        {"real": 0.1, "inner": {"inner": {"flag": True}}},
        {"right": 0},
        {"left": "", "maybe": ""},
        {"at": "2026-01-02T03:04:05Z", "any": {"a": [1.0, None, "b"]}, "wrapped": 1 << 60},
        {"real": "NaN"},
        {"other": "by its own name"},
        {},
    ],
)
def test_json_goes_there_and_back_by_the_names_of_the_proto(data: Any) -> None:
    assert there_and_back(data) == data


def test_what_is_not_set_is_not_there() -> None:
    assert there_and_back({"snake_case": "", "long": 0, "flag": False, "mood": 0}) == {}


def test_an_unknown_number_of_an_enum_stays_a_number() -> None:
    assert orjson.loads(taking().decode(b"\x30\x63")) == {"mood": 99}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'{"nonsense": 1}', 'no field named "nonsense"'),
        (b'{"inner": {"snake_case": 5}}', "snake_case"),
        (b'{"mood": "MOOD_WRONG"}', "mood"),
        (b'{"long": 9223372036854775808}', "long"),
        (b'{"long": "x"}', "long"),
        (b"[1]", "every.thing.Note"),
        (b'"text"', "every.thing.Note"),
        (b"not json", "every.thing.Note"),
    ],
)
def test_a_body_that_is_no_message_is_named(body: bytes, what: str) -> None:
    with pytest.raises(BadRequest) as raised:
        taking().encode(body)
    assert raised.value.code == "request_invalid"
    assert what in raised.value.detail
    assert "\n" not in raised.value.detail


def nested(depth: int) -> bytes:
    data = text_field(1, b"deep")
    for _ in range(depth):
        data = text_field(10, data)
    return data


@pytest.mark.parametrize(
    ("data", "code", "kind"),
    [
        (nested(2_000), "message_too_deep", TooLarge),
        (b"\x0a\x7fshort", "grpc_malformed", BrokenTransport),
        (b"\xff\xff\xff", "grpc_malformed", BrokenTransport),
        (text_field(1, b"caf\xe9"), "utf8_invalid", BrokenTransport),
        (text_field(14, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "grpc_malformed", BrokenTransport),
    ],
)
def test_bytes_that_are_no_message_have_their_code(data: bytes, code: str, kind: type[TurnError]) -> None:
    with pytest.raises(kind) as raised:
        taking().decode(data)
    assert raised.value.code == code


def test_a_message_may_be_nested_as_deeply_as_its_library_takes_it() -> None:
    assert orjson.loads(taking().decode(nested(90)))["inner"]["inner"]


# --- methods ----------------------------------------------------------------------------------------------------


def test_a_method_knows_its_path_and_its_kind() -> None:
    files = compile_proto(EVERYTHING)
    found = {name: find_method(files, f"every.thing.Notes/{name}") for name in ("Take", "Talk")}
    assert found["Take"].path == "/every.thing.Notes/Take"
    assert [(m.streams, m.goes_on) for m in found.values()] == [(False, False), (True, True)]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("every.thing.Notes/Gather", "takes a stream and gives one answer"),
        ("every.thing.Notes/Give", "Take, Gather, Talk"),
        ("every.thing.Books/Take", "there is every.thing.Notes"),
        ("every.thing.Note/Take", "no service every.thing.Note"),
        ("Take", "package.Service/Method"),
    ],
)
def test_a_method_that_cannot_be_called_says_why(name: str, what: str) -> None:
    with pytest.raises(SpecError, match=what):
        find_method(compile_proto(EVERYTHING), name)


def test_types_without_an_end_to_their_nesting_are_refused() -> None:
    chain = "".join(f"message M{n} {{ M{n + 1} next = 1; }}\n" for n in range(2_000))
    service = "service Deep { rpc Dive(M0) returns (M0); }"
    text = f'syntax = "proto3";\npackage deep;\n{chain}message M2000 {{ string end = 1; }}\n{service}\n'
    with pytest.raises(SpecError, match="nested too deeply"):
        find_method(compile_proto(text), "deep.Deep/Dive")


def test_a_method_is_kept_for_its_target_and_no_longer() -> None:
    target = CompiledTarget(spec(grpc={"method": METHOD}))
    method = keep_method(target, compile_proto(PROTO))
    assert known_methods[target] is method
    before = len(known_methods)
    del target
    assert len(known_methods) == before - 1


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"grpc": {"method": ""}}, "grpc.method"),
        ({"grpc": {"method": "Ask"}}, "grpc.method"),
        ({"tls": {"verify": False}}, "tls.verify"),
        ({"grpc": {"reconnect": "maybe"}}, "grpc.reconnect"),
    ],
)
def test_a_spec_that_grpc_cannot_use_names_its_field(overrides: dict[str, Any], what: str) -> None:
    with pytest.raises(SpecError, match=what):
        spec(**overrides)


# --- the compiler -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('syntax = "proto3";\nmessage A { string a = 1 }\n', "line 2: Expected"),
        ('syntax = "proto3";\nmessage A { B b = 1; }\n', 'line 2: "B" is not defined'),
        ('syntax = "proto3";\nimport "/etc/passwd";\n', "line 2"),
        ('syntax = "proto3";\nimport "../target.proto";\n', "line 2"),
        ('syntax = "proto3";\nimport "google/api/http.proto";\n', "line 2"),
        ('syntax = "proto3";\nimport "target.proto";\n', "line 2"),
        ("\ud800", "not Unicode"),
        ("x" * (1 << 20) + "x", "longer than"),
        ("message A {" * 20_000, "grpc.proto"),
    ],
)
def test_a_proto_that_cannot_be_compiled_names_the_line(text: str, what: str) -> None:
    with pytest.raises(SpecError) as raised:
        compile_proto(text)
    assert what in str(raised.value), str(raised.value)
    assert "/tmp" not in str(raised.value)


def test_a_proto_is_compiled_once() -> None:
    assert compile_proto(PROTO) is compile_proto(PROTO)
    assert set(compile_proto(EVERYTHING)) > {"target.proto", "google/protobuf/timestamp.proto"}


# --- reflection -------------------------------------------------------------------------------------------------


def test_reflection_asks_for_what_is_missing_and_takes_well_known_types_from_us() -> None:
    files = compile_proto(EVERYTHING)
    talk = ask("every.thing.Notes")
    asked = ServerReflectionRequest.FromString(next(talk))
    assert asked.file_containing_symbol == "every.thing.Notes"
    answer = ServerReflectionResponse()
    answer.file_descriptor_response.file_descriptor_proto.append(files["target.proto"])
    with pytest.raises(StopIteration) as done:
        talk.send(answer.SerializeToString())
    assert find_method(done.value.value, "every.thing.Notes/Take").path == "/every.thing.Notes/Take"


def test_an_answer_that_is_none_is_malformed() -> None:
    talk = ask("every.thing.Notes")
    next(talk)
    with pytest.raises(BrokenTransport, match="grpc_malformed"):
        talk.send(b"\xff\xff")


# --- statuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "details", "code", "keeps"),
    [
        ("UNAVAILABLE", "busy", "grpc_unavailable", True),
        ("UNAVAILABLE", "Connection reset by peer", "grpc_unavailable", True),
        ("UNAVAILABLE", "Stream removed (recvmsg:Connection reset by peer (104))", "connection_reset", False),
        ("UNAVAILABLE", "Stream removed (Socket closed)", "connection_closed", False),
        ("UNAVAILABLE", "Stream removed (GOAWAY received; Error code: 0)", "connection_closed", False),
        ("RESOURCE_EXHAUSTED", "no tokens left", "grpc_resource_exhausted", True),
        (
            "RESOURCE_EXHAUSTED",
            "Stream removed (CLIENT: Received message larger than max (9 vs. 8))",
            "message_too_large",
            False,
        ),
        ("DEADLINE_EXCEEDED", "the model took too long", "grpc_deadline_exceeded", True),
        ("DEADLINE_EXCEEDED", "Stream removed (Deadline Exceeded)", "total_timeout", False),
        ("UNIMPLEMENTED", "Received http2 header with status: 502", "http_502", True),
        ("UNAUTHENTICATED", "who are you", "grpc_unauthenticated", True),
        ("UNKNOWN", "No status received", "grpc_malformed", False),
        ("INTERNAL", "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))", "grpc_internal", True),
    ],
)
def test_a_status_of_the_target_is_told_from_one_of_the_library(
    name: str, details: str, code: str, keeps: bool
) -> None:
    failure = call_failure(name, details, spec())
    assert failure.code == code
    assert keeps_connection(failure) is keeps
    assert isinstance(failure, TimedOut) is code.endswith("_timeout")


@pytest.mark.parametrize(("name", "status"), [("UNAUTHENTICATED", 401), ("PERMISSION_DENIED", 403)])
def test_refused_credentials_may_be_cured_by_a_handshake(name: str, status: int) -> None:
    failure = call_failure(name, "who are you", spec())
    assert isinstance(failure, Refused)
    assert (failure.status, failure.code) == (status, f"grpc_{name.lower()}")
    assert "credentials" in failure.advice


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ("last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused", "refused"),
        ("last error: UNKNOWN: ipv4:10.0.0.1:1: connect: No route to host (113)", "unreachable"),
        ("last error: UNKNOWN: ipv4:10.0.0.1:1: socket: Too many open files (24)", "local_resources"),
        ("last error: UNAVAILABLE: Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL", "tls_failed"),
        ("something else", "unreachable"),
    ],
)
def test_why_there_is_no_connection(details: str, code: str) -> None:
    failure = connect_failure(details)
    assert failure.code.removeprefix("connect_") == code
    assert failure.advice


# --- the channel ------------------------------------------------------------------------------------------------


def test_a_channel_has_the_checked_address_and_does_nothing_unasked() -> None:
    assert target_of(resolve("127.0.0.1", 80, True)[0]) == "ipv4:127.0.0.1:80"
    assert target_of(resolve("::1", 80, True)[0]) == "ipv6:[::1]:80"
    given = dict(options(CompiledTarget(spec())))
    unasked = ("enable_http_proxy", "enable_retries", "http2.bdp_probe")
    assert [given[f"grpc.{name}"] for name in unasked] == [0, 0, 0]
    assert given["grpc.default_authority"] == "127.0.0.1:9"


def test_metadata_are_lower_case_ascii_without_what_the_library_sends_itself() -> None:
    pairs = (("X-A", "1"), ("Host", "h"), ("Content-Type", "text/plain"), ("k-bin", "b"))
    assert metadata(pairs) == (("x-a", "1"), ("k-bin", b"b"))
    for wrong in (("x", "\u00fc"), ("x", "a\x01b"), (":path", "/")):
        with pytest.raises(BadRequest):
            metadata((wrong,))


def test_no_message_class_of_ours_reaches_the_library_s_own_pool() -> None:
    """Two targets may have different messages of the same name."""
    taking()
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("every.thing.Note")
