"""Specs of requests: a turn's, that for the list of models, and the codecs of their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.request_parts import check_event, check_headers, check_method
from connectors.spec.base import Frozen
from connectors.spec.saving import Save

Encoding = Literal["json", "form", "multipart", "text"]
Method = Annotated[str, AfterValidator(check_method)]
Headers = Annotated[dict[str, str], AfterValidator(check_headers)]


def check_encoding(encoding: str, body: Any, headers: Mapping[str, str]) -> None:
    """Raises ValueError for a body that cannot be encoded so."""
    if encoding == "json":
        return
    if body is None:
        raise ValueError(f"encoding {encoding} has no effect: there is no body")
    wanted, what = (str, "one text") if encoding == "text" else (dict | str, "an object of fields, or a text")
    problem = "" if isinstance(body, wanted) else f"body: with encoding {encoding} it is {what}"
    if problem:
        raise ValueError(problem)
    if encoding == "multipart" and any(name.lower() == "content-type" for name in headers):
        raise ValueError("headers.Content-Type: with encoding multipart it is written by Token-Burn itself: remove it")


class RequestSpec(Frozen):
    """How one turn is sent. Strings hold `{{ }}` templates; `body` is JSON (see `connectors.mapping.templates`), or an
    object of fields that becomes a form, or a text, as `encoding` says. A body that is one text is sent as it is.

    What the parts are to a protocol that has no HTTP request in each turn: websocket's `path` and `headers` are those
    of the upgrade; socketio emits `event` with `body` as its argument (a list: as several); grpc's `headers` are
    metadata. `idempotent`: the target may get it twice without harm. Where a kept connection is closed at the moment
    of sending, the request is then sent again on a new one, as browsers do; otherwise that is an error. `save`: what
    its answer gives to the requests of `then`, as a handshake's step has it.
    """

    method: Method = "POST"
    path: str = ""
    headers: Headers = Field(default_factory=dict)
    encoding: Encoding = "json"
    body: Any = None
    event: Annotated[str, AfterValidator(check_event)] = ""
    idempotent: bool = False
    save: Save = Field(default_factory=dict)

    @model_validator(mode="after")
    def _body_is_encoded(self) -> Self:
        check_encoding(self.encoding, self.body, self.headers)
        return self


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
