"""Server reflection without I/O: `ask` yields requests and is sent the answers. The lanes carry both."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from connectors.errors import BadRequest, BrokenTransport, TimedOut, TooLarge, TurnError
from connectors.grpc.methods import Files
from connectors.grpc.status import call_failure
from connectors.spec import TargetSpec

PATHS: Final = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
"""To be tried in this order; the second if the first is not implemented. Their messages are the same on the wire."""
MOST_FILES: Final = 256
MOST_BYTES: Final = 4 * 1024 * 1024
WELL_KNOWN: Final = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}
"""Files that come from our own library, because the JSON form of their messages depends on their names."""
ADVICE: Final = "give the target the text of its .proto file (grpc.proto)"


def ask(service: str) -> Generator[bytes, bytes, Files]:
    """The files that `service` needs. Raises BadRequest, BrokenTransport or TooLarge."""
    found: dict[str, bytes] = {}
    answer = yield from _exchange(ServerReflectionRequest(file_containing_symbol=service))
    if answer.HasField("error_response"):
        names = yield from _list_services()
        what = f"the target has no service {service}, but {', '.join(names) or 'none at all'}"
        raise BadRequest("request_invalid", what, "correct grpc.method")
    wanted = _take(answer, found)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        if (ours := WELL_KNOWN.get(name)) is not None:
            found[name] = ours
            continue
        answer = yield from _exchange(ServerReflectionRequest(file_by_filename=name))
        wanted += _take(answer, found)
        if name not in found:
            raise BrokenTransport("grpc_malformed", f"server reflection does not give {name[:80]!r}", ADVICE)
    return found


def _take(answer: ServerReflectionResponse, found: dict[str, bytes]) -> list[str]:
    """Add an answer's files; returns those that they depend on."""
    wanted: list[str] = []
    for data in answer.file_descriptor_response.file_descriptor_proto:
        try:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
        except DecodeError as exc:
            raise BrokenTransport("grpc_malformed", f"server reflection: {exc}", ADVICE) from exc
        found[file.name] = WELL_KNOWN.get(file.name, data)
        wanted += file.dependency
    if len(found) + len(wanted) > MOST_FILES or sum(map(len, found.values())) > MOST_BYTES:
        what = f"server reflection gives more than {MOST_FILES} files or {MOST_BYTES} bytes"
        raise TooLarge("body_too_large", what, ADVICE)
    return wanted


def _list_services() -> Generator[bytes, bytes, list[str]]:
    answer = yield from _exchange(ServerReflectionRequest(list_services=""))
    return [service.name[:80] for service in answer.list_services_response.service][:20]


def _exchange(request: ServerReflectionRequest) -> Generator[bytes, bytes, ServerReflectionResponse]:
    data = yield request.SerializeToString()
    try:
        return ServerReflectionResponse.FromString(data)
    except DecodeError as exc:
        raise BrokenTransport("grpc_malformed", f"server reflection: {exc}", ADVICE) from exc


def no_answer() -> BrokenTransport:
    return BrokenTransport("grpc_malformed", "server reflection ended without an answer", ADVICE)


def reflection_failure(name: str, details: str, spec: TargetSpec, *, due: bool) -> TurnError:
    """The error of a talk that ended with the status `name`; as `call_failure`."""
    if name == "UNIMPLEMENTED":
        return BrokenTransport("grpc_unimplemented", "the target has no server reflection", ADVICE)
    failure = call_failure(name, details, spec, due=due)
    if isinstance(failure, TimedOut):
        return TimedOut("connect_timeout", f"no answer to server reflection within {spec.timeouts.connect:g} s", ADVICE)
    return failure
