"""Files and folders of scenarios and conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from scenarios.data import MAX_BYTES, MAX_ROWS, DataPool
from scenarios.importers.dialects import Talk, refusal, talk_of
from scenarios.importers.pools import check_attached
from scenarios.importers.reading import Drawn, Record, Sample, Source, lines, open_source, records
from scenarios.importers.tables import TABLES
from scenarios.render import compile_scenario
from scenarios.replay import PER_CHARACTER_S, check_messages, conversation_scenario
from scenarios.spec import ScenarioError, ScenarioSpec, parse_scenario

AS_A_MIX: Final = 50
"""A list of at most so many conversations is a mix of them; a longer one, one scenario that replays them all."""
_TEXTS: Final = frozenset({".txt", ".text"})


class Wanted:
    """What is asked of files, and what is said of them: `notes` gets a line for whatever is left out."""

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


def load_dir(path: Path, wanted: Wanted | None = None) -> list[ScenarioSpec]:
    """All JSON files of a folder, sorted by name. Raises ScenarioError."""
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl"))
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc
    if not files:
        raise ScenarioError(f"{path}: the folder holds no .json file")
    return [spec for file in files for spec in load_file(file, wanted)]


def load_file(path: Path, wanted: Wanted | None = None) -> list[ScenarioSpec]:
    """Raises ScenarioError that says where in the file what is wrong."""
    with open_source(path) as source:
        return read_source(source, wanted or Wanted())


def read_source(source: Source, wanted: Wanted) -> list[ScenarioSpec]:
    """The scenarios of a file, whatever its format. Raises ScenarioError."""
    if source.suffix in TABLES:
        raise ScenarioError(f"{source.name}: a table is data for a scenario: give it with --data NAME={source.name}")
    if source.suffix in _TEXTS:
        said = (Record(f"{source.name}: line {n}", {"prompt": line.strip()}) for n, line in lines(source))
        return [_replayed(source, said, wanted)]
    found = records(source)
    first = next(found, None)
    if first is None:
        raise ScenarioError(f"{source.name}: the list is empty: it holds no scenario")
    if first.alone:
        return [_placed(first.where, first.value, source.stem, wanted)]
    head = [first, *islice(found, AS_A_MIX)]
    many = len(head) > AS_A_MIX or ": line " in first.where or wanted.sample.limit is not None
    if _is_scenario(first) or not (many or _foreign(first)):
        every = chain(head, found)
        return [_placed(r.where, r.value, f"{source.stem}-{n}", wanted) for n, r in enumerate(every, 1)]
    return [_replayed(source, chain(head, found), wanted)]


def _is_scenario(record: Record) -> bool:
    return isinstance(record.value, Mapping) and "steps" in record.value


def _foreign(record: Record) -> bool:
    """Whether the list is somebody else's collection, and not one that was written as a mix."""
    return isinstance(record.value, Mapping) and "messages" not in record.value


def _placed(where: str, value: Any, name: str, wanted: Wanted) -> ScenarioSpec:
    try:
        return _scenario(value, name, wanted)
    except ScenarioError as exc:
        raise ScenarioError(f"{where}: {exc}") from exc


def _scenario(data: Any, name: str, wanted: Wanted) -> ScenarioSpec:
    if not isinstance(data, dict):
        raise ScenarioError("must be an object: a scenario with `steps`, or a conversation with `messages`")
    if "steps" in data:
        return check_attached({"name": name, **data}, wanted.data)
    talk = talk_of(data)
    if talk is None:
        raise ScenarioError("has neither `steps` (a scenario) nor `messages` (a conversation)")
    plain = {**data, "messages": talk.messages}
    if talk.id is not None and "messages" not in data:  # in a file of ours only `conversation_id` is a name
        plain["conversation_id"] = talk.id
    spec = conversation_scenario(plain, name, wanted.per_character_s)
    compile_scenario(spec)
    return spec


def _replayed(source: Source, found: Iterator[Record], wanted: Wanted) -> ScenarioSpec:
    """One scenario that replays a file's conversations, each session one of them. Those that cannot be replayed are
    left out and counted."""
    drawn: Drawn[dict[str, Any]] = Drawn(wanted.sample)
    out: Counter[str] = Counter()
    first, total, chars = "", 0, 0
    for total, record in enumerate(found, 1):
        talk = talk_of(record.value)
        if talk is None:
            raise ScenarioError(
                f"{record.where}: is no conversation: it has no `messages`, `conversations` or `prompt`"
            )
        try:
            check_messages(talk.messages)
        except ScenarioError as exc:
            out[refusal(exc)] += 1
            first = first or f"{record.where}: {exc}"
            continue
        drawn.add(_row(talk, total))
        chars += sum(len(message["content"]) for message in talk.messages) if wanted.sample.limit is None else 0
        if chars > MAX_BYTES or (wanted.sample.limit is None and drawn.seen > MAX_ROWS):
            raise ScenarioError(
                f"{source.name}: is more than a scenario holds ({MAX_ROWS:,} conversations,"
                f" {MAX_BYTES // 1_000_000} MB): take a sample, for example --limit {max(1, drawn.seen // 2)}"
            )
    if out:
        reasons = ", ".join(f"{count} because {why}" for why, count in out.most_common(3))
        wanted.notes.append(f"{source.name}: {out.total()} of {total} conversations are left out: {reasons}")
    if not drawn.seen:
        raise ScenarioError(first or f"{source.name}: holds no conversation")
    return _pool_scenario(source, drawn.items(), wanted)


def _row(talk: Talk, number: int) -> dict[str, Any]:
    return {"id": talk.id or str(number), "messages": talk.messages}


def _pool_scenario(source: Source, rows: list[dict[str, Any]], wanted: Wanted) -> ScenarioSpec:
    step = {"do": "replay", "messages": "data.talks.messages", "per_character_s": wanted.per_character_s}
    data = {
        "name": source.stem[:120] or "conversations",
        "description": f"Replays {len(rows):,} recorded talks of {Path(source.name).name}, one a session, in turn.",
        "history": "scripted",
        "data": {"talks": {"rows": rows}},
        "steps": [step],
    }
    try:
        return parse_scenario(data)
    except ScenarioError as exc:
        raise ScenarioError(f"{source.name}: {exc}") from exc
