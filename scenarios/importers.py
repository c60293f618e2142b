"""From what a person names (a scenario of the library, a file, a folder, a prompt) to scenarios that are checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Never

from scenarios.render import check_scenario, compile_scenario
from scenarios.replay import PER_CHARACTER_S, conversation_scenario
from scenarios.spec import ScenarioError, ScenarioSpec

SAMPLES: Final = "sample-conversations"
"""The library's name for the mix of all its conversations."""
MAX_FILE_BYTES: Final = 50_000_000
_HERE = Path(__file__).parent
_LIBRARY_DIR = _HERE / "library"
_CONVERSATIONS_DIR = _HERE / "conversations"


def load_scenario(ref: str, per_character_s: float = PER_CHARACTER_S) -> list[ScenarioSpec]:
    """The scenarios that `ref` names: one of the library, a file, or all JSON files of a folder, sorted by name.

    A file holds a scenario, a conversation, or a list of them. A name of the library goes before a file of that
    name; write `./name` for the file. `per_character_s`: how long users take before each further message of a
    conversation file. Raises ScenarioError: one line that says which file, where in it, and what is wrong.
    """
    if ref in library_names():
        return list(_conversations()) if ref == SAMPLES else [_library()[ref]]
    path = Path(ref).expanduser()
    try:
        is_dir, exists = path.is_dir(), path.exists()
    except (OSError, ValueError) as exc:  # a name too long for a path, or with a NUL byte
        raise ScenarioError(f"{_short(ref)} is neither a file nor a scenario of the library: {exc.args[-1]}") from exc
    if not ref or not exists:
        samples = {spec.name for spec in _conversations()}
        names = ", ".join(name for name in library_names() if name not in samples)
        raise ScenarioError(f"there is no file {_short(ref)} and no such scenario in the library: it has {names}")
    specs = _load_dir(path, per_character_s) if is_dir else _load_file(path, per_character_s)
    _refuse_twins(specs, ref)
    return specs


def prompt_scenario(text: str) -> ScenarioSpec:
    """The smallest scenario: say `text`, which may be a template, and go. Raises ScenarioError."""
    if not text.strip():
        raise ScenarioError("the prompt is empty")
    return check_scenario({"name": "prompt", "steps": [{"do": "say", "text": text}]})


def library_names() -> list[str]:
    """Every name that `load_scenario` knows without a file, sorted; the mix of conversations last."""
    return [*sorted(_library()), SAMPLES]


def library() -> list[ScenarioSpec]:
    """All built-in scenarios: the stress scenarios, then the sample conversations."""
    return list(_library().values())


@cache
def _library() -> Mapping[str, ScenarioSpec]:
    specs = _load_dir(_LIBRARY_DIR, PER_CHARACTER_S)
    return {spec.name: spec for spec in (*specs, *_conversations())}


@cache
def _conversations() -> tuple[ScenarioSpec, ...]:
    return tuple(_load_dir(_CONVERSATIONS_DIR, PER_CHARACTER_S))


def _load_dir(path: Path, per_character_s: float) -> list[ScenarioSpec]:
    try:
        files = sorted(file for file in path.iterdir() if file.suffix == ".json")
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc
    if not files:
        raise ScenarioError(f"{path}: the folder holds no .json file")
    return [spec for file in files for spec in _load_file(file, per_character_s)]


def _load_file(path: Path, per_character_s: float) -> list[ScenarioSpec]:
    data = _read_json(path)
    items = data if isinstance(data, list) else [data]
    if not items:
        raise ScenarioError(f"{path}: the list is empty: it holds no scenario")
    specs = []
    for number, item in enumerate(items):
        where = f"{path}: [{number}]" if isinstance(data, list) else str(path)
        name = f"{path.stem}-{number + 1}" if isinstance(data, list) else path.stem
        try:
            specs.append(_scenario(item, name, per_character_s))
        except ScenarioError as exc:
            raise ScenarioError(f"{where}: {exc}") from exc
    return specs


def _scenario(data: Any, name: str, per_character_s: float) -> ScenarioSpec:
    if not isinstance(data, dict):
        raise ScenarioError("must be an object: a scenario with `steps`, or a conversation with `messages`")
    if "steps" in data:
        return check_scenario({"name": name, **data})
    if "messages" in data:
        spec = conversation_scenario(data, name, per_character_s)
        compile_scenario(spec)
        return spec
    raise ScenarioError("has neither `steps` (a scenario) nor `messages` (a conversation)")


def _read_json(path: Path) -> Any:
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8-sig") if path.is_file() and size <= MAX_FILE_BYTES else None
    except OSError as exc:
        raise ScenarioError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ScenarioError(f"{path}: is not UTF-8 text: byte {exc.start}") from exc
    if text is None:  # a pipe could be read for ever
        raise ScenarioError(f"{path}: is no ordinary file of at most {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise ScenarioError(f"{path}: not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}") from exc
    except (ValueError, RecursionError) as exc:
        raise ScenarioError(f"{path}: not JSON: {exc}") from exc


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON number")


def _short(ref: str) -> str:
    return repr(ref if len(ref) <= 80 else ref[:77] + "...")


def _refuse_twins(specs: list[ScenarioSpec], ref: str) -> None:
    """Results are told apart by a scenario's name."""
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise ScenarioError(f"{ref}: two scenarios are named {spec.name!r}: give each its own name")
        seen.add(spec.name)
