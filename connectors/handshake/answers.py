"""What an answer to a request beside the turns' own gives to save."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from connectors.content.decoding import loads, mended_value, plain_text
from connectors.content.heads import AnswerHead, names_of
from connectors.content.wording import shape
from connectors.errors import BadAnswer
from connectors.mapping.answers.saving import Saving
from connectors.security.vault import Vault

COMPARE = "compare `save` with what the answer has"


class StepAnswer(NamedTuple):
    status: int
    body: bytes
    charset: str | None = None
    head: AnswerHead | None = None

    def shown(self, *, head: bool) -> str:
        """What there is to be found, for a message."""
        return names_of(self.head) if head else f"a body of {len(self.body)} bytes"

    def document(self, vault: Vault | None) -> Any:
        """Its JSON, without secrets that it repeats, before any path looks into it. Raises JSONDecodeError or
        TooLarge."""
        message = loads(self.body, self.charset)
        return message if vault is None else vault.concealed(message)


def document_of(answer: StepAnswer, vault: Vault | None, where: str) -> Any:
    """Raises BadAnswer or TooLarge."""
    try:
        return answer.document(vault)
    except orjson.JSONDecodeError as exc:
        raise BadAnswer("json_invalid", f"{where}: the answer is not JSON: {exc}") from exc


def found_in(answer: StepAnswer, message: Any, saving: Saving, vault: Vault | None) -> dict[str, Any]:
    """What there is of the values to save. `message`: the decoded answer; None: it is no JSON, or not read."""
    given = [(name, get(message)) for name, get in saving.paths] if message is not None else []
    found = {name: mended_value(value) for name, value in given if value is not None}
    conceal = None if vault is None else vault.concealed
    if answer.head is not None:
        found |= saving.of_head(answer.head, conceal)
    if saving.needs_text:
        found |= saving.of_text(plain_text(answer.body, answer.charset), conceal)
    return found


def check_saved(saved: dict[str, Any], answer: StepAnswer, message: Any, saving: Saving, where: str) -> None:
    """Raises BadAnswer if a value is missing."""
    paths = dict(saving.paths)
    for name, place in saving.places.items():
        if name not in saved and name not in saving.optional:
            has = shape(message) if name in paths else answer.shown(head=name in saving.in_head)
            raise BadAnswer("answer_unmatched", f"{where}: nothing at {place}; the answer has {has}", COMPARE)
