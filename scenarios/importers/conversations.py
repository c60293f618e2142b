"""Collections of conversations: a short list in our format is a mix, any other one scenario that replays them in turn.

Records that cannot be replayed are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from scenarios.definition.data import MAX_BYTES, MAX_ROWS
from scenarios.definition.spec import ScenarioError, ScenarioSpec, parse_scenario
from scenarios.importers.dialects import Talk, is_message, talk_of
from scenarios.importers.reading import Record, Source
from scenarios.importers.sampling import Drawn, Sample, most_bytes
from scenarios.render.replay import check_messages

_NO_CONVERSATION: Final = "it has no `messages`, `conversation`, `turns`, `prompt` or `question`"
_ONE_MESSAGE: Final = "it is one message: a conversation is a list of messages"
_SAID: Final = 3
"""Maximum number of reasons in a note, most frequent first."""


class _Reason(NamedTuple):
    """Why a record is left out: in `place` of the record, which is empty for all of it."""

    why: str
    place: str = ""
    hint: str = ""


class Readable:
    """The conversations among the records of `source`, and why the others are none."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reasons: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._refusal = ""
        self.total = 0
        self.tools = 0
        """Calls of tools and results that are left out of conversations, and (`with_tools`) of how many."""
        self.with_tools = 0

    @property
    def left_out(self) -> int:
        """How many of the `total` records so far."""
        return self._reasons.total()

    def of(self, found: Iterator[Record]) -> Iterator[tuple[Record, Talk]]:
        """The conversations that can be replayed, with their records. Raises ScenarioError at the end if there was
        none."""
        for self.total, record in enumerate(found, 1):
            checked = _checked(self._source, record)
            if not isinstance(checked, _Reason):
                self.tools += checked.tools
                self.with_tools += bool(checked.tools)
                yield record, checked
                continue
            place = record.where.removeprefix(f"{self._source.name}: ")
            self._reasons[checked.why] += 1
            self._first.setdefault(checked.why, place)
            self._refusal = self._refusal or f"{record.where}: {checked.place}{checked.why}{checked.hint}"
        if self.left_out == self.total:
            raise ScenarioError(self._refusal or f"{self._source.name}: contains no conversation")

    def notes(self) -> Iterator[str]:
        """A line for each kind of omission."""
        if self.left_out:
            yield self._note()
        if self.tools:
            yield tools_note(self._source.name, self.tools, self.with_tools)

    def _note(self) -> str:
        """One line with the number of omissions, the reasons, and the place of the first of each kind."""
        told = self._reasons.most_common(_SAID)
        reasons = [f"{count} because {why} (first: {self._first[why]})" for why, count in told]
        if more := self.left_out - sum(count for _, count in told):
            reasons.append(f"{more} for other reasons")
        return (
            f"{self._source.name}: {self.left_out:,} of {self.total:,} conversations are left out: {', '.join(reasons)}"
        )


def tools_note(name: str, tools: int, conversations: int) -> str:
    """The note about omitted tool calls and results."""
    calls = "1 tool call or result is" if tools == 1 else f"{tools:,} tool calls and results are"
    talks = "1 conversation" if conversations == 1 else f"{conversations:,} conversations"
    return f"{name}: {calls} left out of {talks}: only messages of user and assistant are replayed"


def _checked(source: Source, record: Record) -> Talk | _Reason:
    talk = talk_of(record.value)
    if talk is None and is_message(record.value):
        return _Reason(_ONE_MESSAGE)
    if talk is None:
        return _Reason(_NO_CONVERSATION, hint=_hint(source, record.value))
    try:
        check_storable(talk)
    except ScenarioError as exc:
        place, _, why = str(exc).rpartition("]: ")
        why = why.removeprefix("messages: ")
        if why.startswith("must be"):
            why = f"{'a message' if place else 'a conversation'} {why}"
        return _Reason(why, f"{place}]: " if place else "")
    return talk


def check_storable(talk: Talk) -> None:
    """Raises ScenarioError, naming the message, if `talk` cannot be replayed or kept."""
    check_messages(talk.messages)
    for number, message in enumerate(talk.messages):
        if "\x00" in message["content"]:
            raise ScenarioError(
                f"messages[{number}]: `content` contains the character NUL, which databases cannot store"
            )


def _hint(source: Source, value: Any) -> str:
    """How a text in a record that is no conversation can be sent all the same."""
    texts = {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, Mapping) else {}
    field = max(texts, key=lambda name: len(texts[name]), default="")
    if not field or len(field) > 40 or not field.isprintable() or "'" in field:
        return ""
    row = f"data.rows.{field}" if field.isidentifier() else f"data.rows['{field}']"
    return f'; to send one of its fields: --data rows={PurePath(source.name).name} --prompt "{{{{ {row} }}}}"'


def replayed(source: Source, found: Iterator[Record], sample: Sample, per_character_s: float) -> tuple[Any, Readable]:
    """One scenario that replays a file's conversations, one per session; and what was left out."""
    drawn: Drawn[dict[str, Any]] = Drawn(
        sample, lambda row: sum(len(message["content"]) for message in row["messages"])
    )
    readable = Readable(source)
    most = most_bytes(sample)
    for _, talk in readable.of(found):
        drawn.add({"id": talk.id or str(readable.total), "messages": talk.messages})
        if drawn.size > most or len(drawn) > MAX_ROWS:
            raise ScenarioError(
                f"{source.name}: is more than a scenario can hold ({MAX_ROWS:,} conversations,"
                f" {MAX_BYTES // 1_000_000} MB): take a sample, for example --limit {max(1, len(drawn) // 2)}"
            )
    return _pool_scenario(source, drawn.items(), readable, per_character_s), readable


def _pool_scenario(
    source: Source, rows: list[dict[str, Any]], readable: Readable, per_character_s: float
) -> ScenarioSpec:
    step = {"do": "replay", "messages": "data.talks.messages", "per_character_s": per_character_s}
    left_out = f" {readable.left_out:,} of {readable.total:,} are left out." if readable.left_out else ""
    talks = "1 recorded talk" if len(rows) == 1 else f"{len(rows):,} recorded talks"
    data = {
        "name": source.stem[:120] or "conversations",
        "description": f"Replays {talks} of {PurePath(source.name).name}, one a session, in turn.{left_out}",
        "history": "scripted",
        "data": {"talks": {"rows": rows}},
        "steps": [step],
    }
    try:
        return parse_scenario(data)
    except ScenarioError as exc:
        raise ScenarioError(f"{source.name}: {exc}") from exc
