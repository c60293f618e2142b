"""Attachments of messages, in a target's dialect. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from attachments.attachment import CONTENT, Attachment, AttachmentError
from connectors.errors import BadRequest
from connectors.mapping.shaping import Alone, Parts
from connectors.spec.attachments import PLACEHOLDER, AttachmentsSpec


class Attaching:
    """Puts attachments into what templates see. The JSON of each is made once, and is opaque to templates."""

    def __init__(self, spec: AttachmentsSpec | None, *, names_parts: bool) -> None:
        """`names_parts`: whether a template names `attachment_parts`."""
        self._spec = spec
        self._names_parts = names_parts
        self._made: WeakKeyDictionary[Attachment, orjson.Fragment] = WeakKeyDictionary()

    def put(self, context: MutableMapping[str, Any], attachments: Iterable[Attachment]) -> None:
        """`attachments` go with the new message; those of earlier ones are in `messages` and `history`. Raises
        BadRequest."""
        given = list(attachments)
        try:
            for name in ("messages", "history"):
                if name in context:
                    context[name] = [self._message(said) if "attachments" in said else said for said in context[name]]
            if given:
                context["attachments"] = given
                if self._spec is not None:
                    self._put_parts(self._spec, context, given)
        except AttachmentError as exc:
            raise BadRequest("request_invalid", f"attachments: {exc}") from exc

    def _put_parts(self, spec: AttachmentsSpec, context: MutableMapping[str, Any], given: Sequence[Attachment]) -> None:
        for one in given:
            _shape(spec, one)  # raises for what the target does not take, however it is sent
        if self._names_parts:
            context["attachment_parts"] = [self._part(spec, one) for one in given]

    def _message(self, said: Mapping[str, Any]) -> dict[str, Any]:
        spec, text = self._spec, said["content"]
        message = {"role": said["role"], "content": text}
        if spec is None:
            return message
        parts = [self._part(spec, one) for one in said["attachments"]]
        if spec.beside is not None:
            return {**message, "content": Alone(text), spec.beside: parts}
        own = text if spec.message is None else _filled(spec.message, {"message": text})
        return {**message, "content": Parts(text, parts, [own, *parts])}

    def _part(self, spec: AttachmentsSpec, attachment: Attachment) -> orjson.Fragment:
        made = self._made.get(attachment)
        if made is None:
            made = orjson.Fragment(orjson.dumps(_filled(_shape(spec, attachment), _Fields(attachment))))
            self._made[attachment] = made
        return made


def _shape(spec: AttachmentsSpec, attachment: Attachment) -> Any:
    """How its part looks. Raises AttachmentError."""
    shape = spec.part_of(attachment.kind)
    if shape is None:
        what = f"the target takes no attachment of kind {attachment.kind}, only {', '.join(spec.kinds)}"
        raise AttachmentError(f"{attachment.name}: {what}")
    return shape


class _Fields(dict[str, Any]):
    """Fields of an attachment, of which nothing large is kept."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__()
        self._attachment = attachment

    def __missing__(self, name: str) -> Any:
        return self._attachment.field(name) if name in CONTENT else self._attachment[name]


def _filled(shape: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(shape, str):
        if (alone := PLACEHOLDER.fullmatch(shape)) is not None:
            return fields[alone[1]]
        return PLACEHOLDER.sub(lambda found: str(fields[found[1]]), shape)
    if isinstance(shape, Mapping):
        return {key: _filled(value, fields) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, fields) for value in shape]
    return shape
