"""Resolves what a user names (a library scenario, a file, a folder, a prompt) to validated scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenarios.definition.data import DataPool
from scenarios.definition.files import FileSpec
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers.files import Wanted, load_dir, load_file, read_source
from scenarios.importers.library import SAMPLES, by_name, conversations, library_names
from scenarios.importers.pools import check_attached
from scenarios.importers.reading import Source
from scenarios.render.replay import PER_CHARACTER_S


def load_scenario(
    ref: str, per_character_s: float = PER_CHARACTER_S, wanted: Wanted | None = None
) -> list[ScenarioSpec]:
    """The scenarios that `ref` names: one of the library, a file, or all JSON files of a folder, sorted by name.

    What a file may hold: see `docs/importing.md`. A name of the library goes before a file of that name; write
    `./name` for the file. `per_character_s`: how long users take before each further message of a conversation
    file. Raises ScenarioError: one line that says which file, where in it, and what is wrong.
    """
    if ref in library_names():
        return list(conversations()) if ref == SAMPLES else [by_name()[ref]]
    wanted = wanted or Wanted(per_character_s)
    path = Path(ref).expanduser()
    try:
        is_dir, exists = path.is_dir(), path.exists()
    except (OSError, ValueError) as exc:  # a name too long for a path, or with a NUL byte
        raise ScenarioError(f"{_short(ref)} is neither a file nor a scenario of the library: {exc.args[-1]}") from exc
    if not ref or not exists:
        samples = {spec.name for spec in conversations()}
        names = ", ".join(name for name in library_names() if name not in samples)
        raise ScenarioError(f"there is no file {_short(ref)} and no such scenario in the library: it has {names}")
    specs = load_dir(path, wanted) if is_dir else load_file(path, wanted)
    _refuse_twins(specs, ref)
    return specs


def import_scenarios(source: Source, wanted: Wanted) -> list[ScenarioSpec]:
    """The scenarios of an open file, as `load_scenario` makes them. Raises ScenarioError."""
    specs = read_source(source, wanted)
    _refuse_twins(specs, source.name)
    return specs


def prompt_scenario(
    text: str, data: Mapping[str, DataPool] | None = None, attached: Sequence[FileSpec] = ()
) -> ScenarioSpec:
    """The smallest scenario: send `text`, which may be a template, and end. Raises ScenarioError."""
    if not text.strip():
        raise ScenarioError("the prompt is empty")
    files = {f"file {number}": file.model_dump() for number, file in enumerate(attached, 1)}
    step = {"do": "say", "text": text, "attachments": [*files]}
    return check_attached({"name": "prompt", "files": files, "steps": [step]}, data or {})


def _short(ref: str) -> str:
    return repr(ref if len(ref) <= 80 else ref[:77] + "...")


def _refuse_twins(specs: list[ScenarioSpec], ref: str) -> None:
    """Results are distinguished by the scenario's name."""
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise ScenarioError(f"{ref}: two scenarios are named {spec.name!r}: give each its own name")
        seen.add(spec.name)
