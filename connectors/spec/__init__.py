"""Frozen descriptions of a chatbot for both lanes; import everything from here."""

from connectors.origins import SCHEMES, TLS_SCHEMES
from connectors.spec.base import Frozen, SpecError, spec_problems
from connectors.spec.handshake import AskSpec, HandshakeSpec, JwtSpec, StepSpec
from connectors.spec.lasting import AutoReplySpec, KeepAliveSpec, MessageSpec, SentSpec, WaitingSpec
from connectors.spec.presets import build_target_spec, load_preset, merge, preset_base, preset_names
from connectors.spec.request import CodecSpec, CodecStep, ModelsSpec, RequestSpec
from connectors.spec.response import Condition, GreetingSpec, PartSpec, ReplyToSpec, ResponseSpec, UsageSpec
from connectors.spec.saving import Save, Source
from connectors.spec.signing import AwsSignatureSpec
from connectors.spec.target import (
    ONE_ANSWER,
    POSTED,
    TargetSpec,
    parse_target_spec,
)
from connectors.spec.then import ThenSpec
from connectors.spec.transport import (
    GrpcSpec,
    HttpSpec,
    Limits,
    ProxySpec,
    Reconnect,
    SocketIoSpec,
    Timeouts,
    TlsSpec,
    WebSocketSpec,
)

__all__ = [
    "ONE_ANSWER",
    "POSTED",
    "SCHEMES",
    "TLS_SCHEMES",
    "AskSpec",
    "AutoReplySpec",
    "AwsSignatureSpec",
    "CodecSpec",
    "CodecStep",
    "Condition",
    "Frozen",
    "GreetingSpec",
    "GrpcSpec",
    "HandshakeSpec",
    "HttpSpec",
    "JwtSpec",
    "KeepAliveSpec",
    "Limits",
    "MessageSpec",
    "ModelsSpec",
    "PartSpec",
    "ProxySpec",
    "Reconnect",
    "ReplyToSpec",
    "RequestSpec",
    "ResponseSpec",
    "Save",
    "SentSpec",
    "SocketIoSpec",
    "Source",
    "SpecError",
    "StepSpec",
    "TargetSpec",
    "ThenSpec",
    "Timeouts",
    "TlsSpec",
    "UsageSpec",
    "WaitingSpec",
    "WebSocketSpec",
    "build_target_spec",
    "load_preset",
    "merge",
    "parse_target_spec",
    "preset_base",
    "preset_names",
    "spec_problems",
]
