"""TargetSpec: everything a lane needs to know about a chatbot, frozen. Presets are such specs as data files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

PRESET_DIR = Path(__file__).parent / "presets"


class SpecError(ValueError):
    """A target, scenario or load that cannot be used; the message says what is wrong and what to do."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RequestSpec(Frozen):
    """How one turn is sent. Strings hold `{{ }}` templates; `body` is JSON (see `connectors.templates`)."""

    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None


class DoneSpec(Frozen):
    """When a streamed answer is complete: a literal event (`data`), or a path that is present or equals a value."""

    data: str | None = None
    path: str | None = None
    equals: Any = None


class UsageSpec(Frozen):
    """Paths to the target's own token counts."""

    input: str | None = None
    output: str | None = None


class ResponseSpec(Frozen):
    """Where an answer's parts are. Each value is a path: plain (`choices[0].delta.content`) or JMESPath."""

    text: str | None = None
    delta: str | None = None
    reasoning: str | None = None
    done: DoneSpec | None = None
    error: str | None = None
    usage: UsageSpec = UsageSpec()
    stamp: str | None = None


class Timeouts(Frozen):
    """Seconds. `first_byte` and `total` count from the request's first byte, `idle` from the last byte received."""

    connect: float = Field(10.0, gt=0)
    first_byte: float = Field(60.0, gt=0)
    idle: float = Field(60.0, gt=0)
    total: float = Field(300.0, gt=0)


class Limits(Frozen):
    """Bytes a target may send: headers of one answer, its decoded body, one event of a stream."""

    header_bytes: int = Field(64 * 1024, gt=0)
    body_bytes: int = Field(32 * 1024 * 1024, gt=0)
    event_bytes: int = Field(1024 * 1024, gt=0)


class TlsSpec(Frozen):
    verify: bool = True
    ca_file: str | None = None


class TargetSpec(Frozen):
    """One chatbot endpoint. `secrets` never leave the process but over the engine's stdin."""

    name: str
    protocol: str
    url: str
    request: RequestSpec = RequestSpec()
    response: ResponseSpec = ResponseSpec()
    params: dict[str, Any] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    tls: TlsSpec = TlsSpec()
    reuse_connections: bool = True
    secrets: dict[str, SecretStr] = Field(default_factory=dict, repr=False)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port_ok = parts.port != 0
        except ValueError as exc:
            raise ValueError(f"{value!r} is not a URL: {exc}") from exc
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port_ok:
            raise ValueError(f"{value!r} is not a URL of the form http(s)://host[:port]/path")
        if parts.username or parts.password:
            raise ValueError("the URL holds a user or password: put it into the target's secrets instead")
        return value.rstrip("/")

    def frozen_dict(self) -> dict[str, Any]:
        """The spec as JSON data without its secrets: what a Run stores."""
        data: dict[str, Any] = self.model_dump(mode="json", exclude={"secrets"})
        return data

    def wire_dict(self) -> dict[str, Any]:
        """The spec as JSON data with its secrets in clear: only for the engine's stdin."""
        return self.frozen_dict() | {"secrets": {k: v.get_secret_value() for k, v in self.secrets.items()}}


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in PRESET_DIR.glob("*.json"))


@cache
def _preset_text(name: str) -> str:
    path = PRESET_DIR / f"{name}.json"
    if path.parent != PRESET_DIR or not path.is_file():
        raise SpecError(f"unknown preset {name!r}: choose one of {', '.join(preset_names())}")
    return path.read_text(encoding="utf-8")


def load_preset(name: str) -> dict[str, Any]:
    """The preset's data, a fresh copy. Raises SpecError with the known names if there is none of this name."""
    data: dict[str, Any] = json.loads(_preset_text(name))
    return data


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it, objects merged key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def build_target_spec(
    *,
    name: str,
    url: str,
    preset: str,
    stream: bool = False,
    params: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    stamp: str | None = None,
) -> TargetSpec:
    """Lay a target's own settings over its preset.

    A preset is a TargetSpec's data plus `title`, `doc`, and `stream`: what differs when answers are streamed.
    Raises SpecError naming the field that is wrong.
    """
    data = load_preset(preset)
    for about in ("title", "doc"):
        data.pop(about, None)
    streamed: Literal[None] | dict[str, Any] = data.pop("stream", None)
    if stream:
        if streamed is None:
            raise SpecError(f"preset {preset!r} has no streamed form: leave --stream out")
        data = merge(data, streamed)
    data = merge(data, overrides or {})
    data = merge(data, {"name": name, "url": url, "params": dict(params or {}), "secrets": dict(secrets or {})})
    if stamp:
        data = merge(data, {"response": {"stamp": stamp}})
    return parse_target_spec(data)


def parse_target_spec(data: Mapping[str, Any]) -> TargetSpec:
    """Validate a spec's data. Raises SpecError naming each wrong field."""
    try:
        return TargetSpec.model_validate(data)
    except ValueError as exc:
        raise SpecError(f"target: {spec_problems(exc)}") from exc


def spec_problems(exc: ValueError) -> str:
    """Pydantic's findings on one line, without input values: a value may be a secret."""
    errors = getattr(exc, "errors", None)
    if errors is None:
        return str(exc)
    found = [(".".join(str(part) for part in e["loc"]), str(e["msg"]).removeprefix("Value error, ")) for e in errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in found)
