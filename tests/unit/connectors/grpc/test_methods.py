"""Without a server: finding a method, messages as JSON and back, the compiler of a .proto, what statuses mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.errors import BadRequest, BrokenTransport, TooLarge, TurnError
from connectors.grpc.methods import Method, find_method, keep_method, known_methods
from connectors.grpc.proto import compile_proto
from connectors.registry import connector_class
from connectors.spec import SpecError, TargetSpec, build_target_spec
from connectors.target import CompiledTarget
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
    assert [(m.streams, m.persistent) for m in found.values()] == [(False, False), (True, True)]


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


# --- before the first message -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grpc", "known"),
    [
        ({"method": METHOD, "proto": PROTO}, True),
        ({"method": METHOD, "proto": "message {"}, False),
        ({"method": "tokenburn.mock.v1.Chat/Nowhere", "proto": PROTO}, False),
        ({"method": METHOD}, False),
    ],
    ids=["compiled", "no .proto", "no such method", "only the target knows"],
)
def test_the_load_lane_compiles_a_proto_before_the_first_message(grpc: dict[str, str], known: bool) -> None:
    """One that cannot be compiled fails each turn, and not the engine."""
    target = CompiledTarget(spec(grpc=grpc))
    connector_class("grpc").prepare(target)
    assert (target in known_methods) is known
    misses = compile_proto.cache_info().misses
    connector_class("grpc").prepare(target)
    if known:
        assert compile_proto.cache_info().misses == misses


def test_a_message_that_must_have_a_field_is_refused_without_it() -> None:
    proto = """\
        syntax = "proto2";
        package strict;
        message Note { required string text = 1; }
        service Notes { rpc Take(Note) returns (Note); }
    """
    target = CompiledTarget(spec(grpc={"method": "strict.Notes/Take", "proto": proto}))
    connector_class("grpc").prepare(target)
    with pytest.raises(BadRequest, match=r"strict\.Note"):
        known_methods[target].encode(b"{}")
    assert known_methods[target].encode(b'{"text":"a"}')
