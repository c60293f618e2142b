"""Without a server: the compiler of a .proto, the talk of reflection, what statuses mean, how a channel is made."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from connectors.errors import BadRequest, BrokenTransport, Refused, TimedOut
from connectors.grpc.channel import metadata, options, target_of
from connectors.grpc.methods import find_method
from connectors.grpc.proto import compile_proto
from connectors.grpc.reflection import ask
from connectors.grpc.status import call_failure, connect_failure, keeps_connection
from connectors.security.guard import resolve
from connectors.spec import SpecError
from connectors.target import CompiledTarget
from tests.hostile.grpc import PROTO
from tests.unit.connectors.grpc.test_methods import EVERYTHING, spec, taking

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


@pytest.mark.parametrize(
    ("name", "due", "code"),
    [
        ("DEADLINE_EXCEEDED", False, "grpc_deadline_exceeded"),
        ("DEADLINE_EXCEEDED", True, "total_timeout"),
        ("UNAVAILABLE", True, "grpc_unavailable"),
    ],
)
def test_a_target_that_says_our_own_deadline_first_is_late_all_the_same(name: str, due: bool, code: str) -> None:
    assert call_failure(name, "Deadline Exceeded", spec(), due=due).code == code


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
