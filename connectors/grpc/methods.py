"""A method of a gRPC service: its types from descriptors, its messages from and to JSON."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import orjson
from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError

from connectors.errors import BadRequest, BrokenTransport, TooLarge, TurnError
from connectors.grpc.messages import make_reader
from connectors.spec import SpecError
from connectors.target import CompiledTarget

Files = Mapping[str, bytes]
"""Serialized FileDescriptorProtos by their names: those a service needs, and no order among them."""


class Method:
    """`path` is the called path. `streams`: many messages answer one. `persistent`: one call carries all turns."""

    def __init__(self, descriptor: MethodDescriptor) -> None:
        service = descriptor.containing_service
        self.path = f"/{service.full_name}/{descriptor.name}"
        self.streams = descriptor.server_streaming
        self.persistent = descriptor.client_streaming and descriptor.server_streaming
        if descriptor.client_streaming and not descriptor.server_streaming:
            raise SpecError(f"grpc.method: {self.path} takes a stream and gives one answer, so it cannot carry turns")
        self._request = message_factory.GetMessageClass(descriptor.input_type)
        self._response = message_factory.GetMessageClass(descriptor.output_type)
        self._read = make_reader(descriptor.output_type)

    def encode(self, body: bytes) -> bytes:
        """The message for a rendered body. Raises BadRequest naming the field that does not fit."""
        request = self._request()
        try:
            json_format.ParseDict(orjson.loads(body or b"{}"), request)
            return request.SerializeToString()
        except (json_format.ParseError, EncodeError, ValueError, TypeError, AttributeError) as exc:
            name = request.DESCRIPTOR.full_name
            raise BadRequest("request_invalid", f"request.body is no {name}: {' '.join(str(exc).split())}") from exc

    def rehearse(self) -> None:
        """Let the library build in advance what it builds with the first message of a type, in both directions."""
        with suppress(TurnError):  # a message may have fields that it must have
            self.encode(b"{}")
        with suppress(TurnError):
            self.decode(b"")

    def decode(self, data: bytes) -> bytes:
        """A message as JSON text, its fields by their names in the .proto. Raises BrokenTransport or TooLarge."""
        try:
            message: Any = self._response.FromString(data)
            return orjson.dumps(self._read(message))
        except DecodeError as exc:
            _undecodable(str(exc), exc)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as exc:
            # a well-known type with an impossible value, or another type of the same name
            raise BrokenTransport("grpc_malformed", f"a message cannot be expressed as JSON: {exc}") from exc


def _undecodable(what: str, exc: DecodeError) -> NoReturn:
    if "Depth" in what:
        raise TooLarge("message_too_deep", "a message is nested too deeply") from exc
    if "UTF-8" in what:
        raise BrokenTransport("utf8_invalid", "a text in a message is not UTF-8") from exc
    advice = "check that the .proto is the target's own"
    raise BrokenTransport("grpc_malformed", f"not a message of the method's type: {what}", advice) from exc


def split_name(name: str) -> tuple[str, str]:
    """Service and method of `package.Service/Method`. Raises SpecError."""
    service, slash, method = name.strip("/").rpartition("/")
    if not (service and slash and method) or "/" in service:
        raise SpecError(f"grpc.method: {name!r} is not of the form package.Service/Method")
    return service, method


def find_method(files: Files, name: str) -> Method:
    """Raises SpecError naming what exists instead."""
    service_name, method_name = split_name(name)
    pool = DescriptorPool()
    _fill(pool, files)
    try:
        service = pool.FindServiceByName(service_name)
    except KeyError as exc:
        raise SpecError(f"grpc.method: there is no service {service_name}; {_services(files)}") from exc
    method = service.methods_by_name.get(method_name)
    if method is None:
        known = ", ".join(service.methods_by_name) or "none"
        raise SpecError(f"grpc.method: {service_name} has no method {method_name}, but {known}")
    try:
        return Method(method)
    except RecursionError as exc:
        raise SpecError(f"grpc.method: the types of {name} are nested too deeply") from exc


def _fill(pool: DescriptorPool, files: Files) -> None:
    """Add files, each after those that it depends on."""
    added: set[str] = set()
    waiting = [(name, False) for name in files]
    while waiting:
        name, ready = waiting.pop()
        if name in added or name not in files:
            continue
        try:
            if not ready:
                waiting.append((name, True))
                needs = descriptor_pb2.FileDescriptorProto.FromString(files[name]).dependency
                waiting += [(other, False) for other in needs if other not in added]
                if len(waiting) > 10_000:
                    raise SpecError("the descriptors depend on each other in a circle")
                continue
            added.add(name)
            pool.AddSerializedFile(files[name])
        except (TypeError, DecodeError) as exc:
            raise SpecError(f"the descriptor of {name[:80]!r} cannot be used: {exc}") from exc


def _services(files: Files) -> str:
    found = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in files.values()]
    names = [f"{file.package}.{service.name}".lstrip(".") for file in found for service in file.service]
    return f"there is {', '.join(names)}" if names else "there is none at all"


DESCRIPTORS = "descriptors"
"""The step of a turn that waited until the method was resolved by reflection or by compiling a .proto."""
known_methods: WeakKeyDictionary[CompiledTarget, Method] = WeakKeyDictionary()
"""Each target's method, found once in a process."""


def keep_method(target: CompiledTarget, files: Files) -> Method:
    """Find the target's method, for all its connectors. Raises BadRequest."""
    try:
        method = known_methods[target] = find_method(files, target.spec.grpc.method)
    except SpecError as exc:
        raise BadRequest("request_invalid", str(exc), "correct the target's grpc.method") from exc
    method.rehearse()
    return method
