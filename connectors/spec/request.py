"""Specs of requests: a turn's, that for the list of models, and the codecs of their bodies."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from connectors.request_parts import check_event, check_headers, check_method
from connectors.spec.base import Frozen

Method = Annotated[str, AfterValidator(check_method)]
Headers = Annotated[dict[str, str], AfterValidator(check_headers)]


class RequestSpec(Frozen):
    """How one turn is sent. Strings hold `{{ }}` templates; `body` is JSON (see `connectors.mapping.templates`).

    What the parts are to a protocol that has no HTTP request in each turn: websocket's `path` and `headers` are those
    of the upgrade; socketio emits `event` with `body` as its argument (a list: as several); grpc's `headers` are
    metadata. `idempotent`: the target may get it twice without harm. Where a kept connection is closed at the moment
    of sending, the request is then sent again on a new one, as browsers do; otherwise that is an error.
    """

    method: Method = "POST"
    path: str = ""
    headers: Headers = Field(default_factory=dict)
    body: Any = None
    event: Annotated[str, AfterValidator(check_event)] = ""
    idempotent: bool = False


class CodecStep(Frozen):
    """A codec by its name (`connectors.codecs`). Strings of `options` are templates."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class CodecSpec(Frozen):
    """Codecs for each rendered body before it is sent, and for each event or answer before it is read, in order."""

    request: list[CodecStep] = Field(default_factory=list)
    response: list[CodecStep] = Field(default_factory=list)


class ModelsSpec(Frozen):
    """Where the target lists its models: a GET of `path`, a template, below its URL, with `headers` (without them:
    those of `request`). `pick` is the path to their names in the answer; each loses the beginning `strip`."""

    path: str
    pick: str
    headers: Headers | None = None
    strip: str = ""
