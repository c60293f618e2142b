"""Files beside a scenario's file, which it names by `path`: read only for `burn`, by whoever may read them anyway."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from attachments.attachment import MAX_BYTES
from attachments.generated import MAKERS
from bounds.files import FileError, read_ordinary
from scenarios.definition.files import MAX_FILES, MAX_FILES_BYTES
from scenarios.definition.spec import ScenarioError
from scenarios.template.compiler import literal


def with_own_files(data: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """A scenario's data with the files themselves in place of their paths below `folder`; None: it has none, and a path
    is refused where it is validated. Raises ScenarioError."""
    if folder is None:
        return dict(data)
    found, files = dict(data), data.get("files")
    if isinstance(files, str):
        found["files"] = _all_of(_below(folder, files, "files"), files)
    elif isinstance(files, Mapping):
        found["files"] = {name: _read(file, folder, f"files.{name}") for name, file in files.items()}
    if "steps" in found:
        in_place: dict[str, Any] = {}
        found["steps"] = _with_steps(found["steps"], folder, "steps", in_place)
        if in_place:
            found["files"] = {**(found.get("files") or {}), **in_place}
    return found


def given_file(text: str) -> dict[str, Any]:
    """A file of a command line, as a scenario has it: `png:200000` is made, anything else is the path of one. Raises
    ScenarioError."""
    kind, _, size = text.partition(":")
    if kind in MAKERS and size.isdecimal():
        return {"generate": kind, "bytes": int(size)}
    path = Path(text).expanduser()
    return {"name": path.name, "base64": _content(path, text)}


def _with_steps(steps: Any, folder: Path, where: str, in_place: dict[str, Any]) -> Any:
    """`in_place`: gets the files that steps name themselves, each once."""
    if not isinstance(steps, list | tuple):
        return steps
    return [_with_step(step, folder, f"{where}[{i}]", in_place) for i, step in enumerate(steps)]


def _with_step(step: Any, folder: Path, where: str, in_place: dict[str, Any]) -> Any:
    if not isinstance(step, Mapping):
        return step
    found = dict(step)
    if isinstance(given := step.get("attachments"), list | tuple):
        places = (f"{where}.attachments[{i}]" for i in range(len(given)))
        found["attachments"] = [_in_place(one, folder, at, in_place) for one, at in zip(given, places, strict=True)]
    if "steps" in step:
        found["steps"] = _with_steps(step["steps"], folder, f"{where}.steps", in_place)
    return found


def _in_place(file: Any, folder: Path, where: str, in_place: dict[str, Any]) -> Any:
    """The name under which a file given by its path is in `in_place`; anything else as it is."""
    if not isinstance(file, Mapping) or "path" not in file:
        return file
    key = " ".join(str(part) for part in (file["path"], *(file.get(field) or "" for field in ("name", "type"))) if part)
    if key not in in_place:
        in_place[key] = _read(file, folder, where)
    return literal(key)


def _read(file: Any, folder: Path, where: str) -> Any:
    """A file as a scenario has it, if it is given by a path."""
    if not isinstance(file, Mapping) or "path" not in file:
        return file
    if "base64" in file or "generate" in file:
        raise ScenarioError(f"{where}: give one of `path`, `base64` and `generate`")
    path = _below(folder, file["path"], f"{where}.path")
    rest = {key: value for key, value in file.items() if key != "path"}
    return {"name": PurePath(file["path"]).name, **rest, "base64": _content(path, f"{where}.path: {file['path']}")}


def _below(folder: Path, given: Any, where: str) -> Path:
    """The path of a file or a folder inside `folder`, also when links are followed."""
    if not isinstance(given, str) or not given or not given.isprintable():
        raise ScenarioError(f"{where}: must be the path of a file, without invisible characters")
    path = PurePath(given)
    if path.is_absolute() or ".." in path.parts:
        raise ScenarioError(f"{where}: {given!r} must lead to a file in the scenario's folder or below: it has no `..`")
    try:
        inside, home = (folder / path).resolve(), folder.resolve()
    except (OSError, RuntimeError) as exc:
        raise ScenarioError(f"{where}: {given!r} cannot be read: {exc}") from exc
    if not inside.is_relative_to(home):
        raise ScenarioError(f"{where}: {given!r} is a link to somewhere outside the scenario's folder")
    return inside


def _content(path: Path, where: str) -> str:
    try:
        return base64.b64encode(read_ordinary(path, MAX_BYTES)).decode()
    except FileError as exc:
        raise ScenarioError(f"{where}: {exc}") from exc


def _all_of(folder: Path, given: str) -> dict[str, Any]:
    """All files of a folder by their names, but hidden ones and folders."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as exc:
        raise ScenarioError(f"files: {given!r} is not a folder that can be read: {exc.strerror}") from exc
    if len(paths) > MAX_FILES:
        raise ScenarioError(f"files: {given!r} has {len(paths):,} files: at most {MAX_FILES:,} can be read")
    found, total = {}, 0
    for path in paths:
        inside = _below(folder, path.name, f"files: {given}")
        found[path.name] = {"name": path.name, "base64": _content(inside, f"files: {given}/{path.name}")}
        total += len(found[path.name]["base64"]) * 3 // 4
        if total > MAX_FILES_BYTES + len(paths) * 3:
            raise ScenarioError(f"files: those of {given!r} have more than {MAX_FILES_BYTES:,} bytes together")
    return found
