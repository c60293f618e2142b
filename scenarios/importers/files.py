"""Files and folders of scenarios and conversations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from scenarios.definition.data import DataPool
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers.conversations import Readable, check_storable, replayed, tools_note
from scenarios.importers.dialects import is_message, talk_of
from scenarios.importers.own_files import with_own_files
from scenarios.importers.pools import check_attached
from scenarios.importers.reading import Record, Source, lines, open_source, records
from scenarios.importers.sampling import Sample
from scenarios.importers.tables import TABLES
from scenarios.render.replay import PER_CHARACTER_S, conversation_scenario
from scenarios.render.walk import compile_scenario

AS_A_MIX: Final = 50
"""A list with at most this many conversations becomes a mix; a longer one becomes one scenario that replays them
all."""
MAX_MESSAGES: Final = 10_000
"""Of one conversation that is a list of messages and nothing else."""
_TEXTS: Final = frozenset({".txt", ".text"})


class Wanted:
    """Options for reading files, and `notes`, which receive a line for everything that is left out."""

    def __init__(
        self,
        per_character_s: float = PER_CHARACTER_S,
        data: Mapping[str, DataPool] | None = None,
        sample: Sample | None = None,
    ) -> None:
        self.per_character_s = per_character_s
        self.data: Mapping[str, DataPool] = data or {}
        self.sample = sample or Sample()
        self.notes: list[str] = []
        self.folder: Path | None = None
        """Of the file that is read: a scenario may name files below it. None: it may not."""


def load_dir(path: Path, wanted: Wanted | None = None) -> list[ScenarioSpec]:
    """All JSON files of a folder, sorted by name. Raises ScenarioError."""
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl"))
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc
    if not files:
        raise ScenarioError(f"{path}: the folder contains no .json file")
    return [spec for file in files for spec in load_file(file, wanted)]


def load_file(path: Path, wanted: Wanted | None = None) -> list[ScenarioSpec]:
    """Raises ScenarioError with the place in the file and the error."""
    wanted = wanted or Wanted()
    wanted.folder = path.parent
    with open_source(path) as source:
        return read_source(source, wanted)


def read_source(source: Source, wanted: Wanted) -> list[ScenarioSpec]:
    """The scenarios of a file, whatever its format. Raises ScenarioError."""
    if source.suffix in TABLES:
        raise ScenarioError(f"{source.name}: a table is data for a scenario: give it with --data NAME={source.name}")
    if source.suffix in _TEXTS:
        said = (Record(f"{source.name}: line {n}", {"prompt": line.strip()}) for n, line in lines(source))
        return _replayed(source, said, wanted)
    found = records(source)
    first = next(found, None)
    if first is None:
        raise ScenarioError(f"{source.name}: the list is empty: it contains no scenario")
    if first.alone:
        return [_alone(first.where, first.value, source.stem, wanted)]
    head = [first, *islice(found, AS_A_MIX)]
    every = chain(head, found)
    of_lines = first.where.startswith(f"{source.name}: line ")
    if not of_lines and all(is_message(record.value) for record in head):
        return [_alone(source.name, _bounded(source, every), source.stem, wanted)]
    if any(_is_scenario(record) for record in head):
        return [_placed(r.where, r.value, f"{source.stem}-{n}", wanted) for n, r in enumerate(every, 1)]
    if not of_lines and len(head) <= AS_A_MIX and wanted.sample.limit is None and _is_mix(head):
        return _mix(source, head, wanted)
    return _replayed(source, every, wanted)


def _is_scenario(record: Record) -> bool:
    return isinstance(record.value, Mapping) and "steps" in record.value


def _is_mix(found: list[Record]) -> bool:
    """Whether all conversations are in our form: somebody else's collection was not written as a mix."""
    talks = [record.value for record in found if talk_of(record.value) is not None]
    return bool(talks) and all(isinstance(value, Mapping) and "messages" in value for value in talks)


def _mix(source: Source, found: list[Record], wanted: Wanted) -> list[ScenarioSpec]:
    """A scenario for each conversation."""
    readable = Readable(source)
    specs = [
        _placed(record.where, record.value, f"{source.stem}-{readable.total}", wanted)
        for record, _ in readable.of(iter(found))
    ]
    _say(readable, wanted)
    return specs


def _replayed(source: Source, found: Iterable[Record], wanted: Wanted) -> list[ScenarioSpec]:
    spec, readable = replayed(source, iter(found), wanted.sample, wanted.per_character_s)
    _say(readable, wanted)
    return [spec]


def _say(readable: Readable, wanted: Wanted) -> None:
    wanted.notes += readable.notes()


def _bounded(source: Source, found: Iterable[Record]) -> list[Any]:
    messages = [record.value for record in islice(found, MAX_MESSAGES + 1)]
    if len(messages) > MAX_MESSAGES:
        raise ScenarioError(f"{source.name}: is one conversation of more than {MAX_MESSAGES:,} messages")
    return messages


def _alone(where: str, value: Any, name: str, wanted: Wanted) -> ScenarioSpec:
    """All that a file holds."""
    spec = _placed(where, value, name, wanted)
    talk = None if isinstance(value, Mapping) and "steps" in value else talk_of(value)
    if talk is not None and talk.tools:
        wanted.notes.append(tools_note(where, talk.tools, 1))
    return spec


def _placed(where: str, value: Any, name: str, wanted: Wanted) -> ScenarioSpec:
    try:
        return _scenario(value, name, wanted)
    except ScenarioError as exc:
        raise ScenarioError(f"{where}: {exc}") from exc


def _scenario(data: Any, name: str, wanted: Wanted) -> ScenarioSpec:
    if isinstance(data, Mapping) and "steps" in data:
        return check_attached({"name": name, **with_own_files(data, wanted.folder)}, wanted.data)
    talk = talk_of(data)
    if talk is None and not isinstance(data, Mapping):
        raise ScenarioError("must be an object: a scenario with `steps`, or a conversation with `messages`")
    if talk is None:
        raise ScenarioError("has neither `steps` (a scenario) nor `messages` (a conversation)")
    check_storable(talk)
    fields = data if isinstance(data, Mapping) else {}
    plain = {**fields, "messages": talk.messages}
    if talk.id is not None and "messages" not in fields:  # in a file of ours only `conversation_id` is a name
        plain["conversation_id"] = talk.id
    spec = conversation_scenario(plain, name, wanted.per_character_s)
    compile_scenario(spec)
    return spec
