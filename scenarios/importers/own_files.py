"""Files beside a scenario's file, which it names by `path`: read only for `burn`, by whoever may read them anyway."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import chain, count
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
    given = data.get("files", {})
    if folder is not None and isinstance(given, str):
        given = _all_of(_below(folder, given, "files"), given)
    if folder is None or not isinstance(given, Mapping):
        return dict(data)
    files = _Files(folder, given)
    steps = files.with_steps(data["steps"], "steps")
    return {**data, "files": files.named, "steps": steps}


def given_file(text: str) -> dict[str, Any]:
    """A file of a command line, as a scenario has it: `png:200000` is made, anything else is the path of one. Raises
    ScenarioError."""
    kind, _, size = text.partition(":")
    if kind in MAKERS and size.isdecimal():
        return {"generate": kind, "bytes": int(size)}
    path = Path(text).expanduser()
    return {"name": path.name, "base64": _packed(_content(path, text))}


class _Files:
    """A scenario's files by their names: its own, and those that steps give by a path, each once."""

    def __init__(self, folder: Path, given: Mapping[str, Any]) -> None:
        self._folder = folder
        self._bytes = 0
        self.named = {name: self._read(file, f"files.{name}") for name, file in given.items()}
        self._names: dict[str, str] = {}

    def with_steps(self, steps: Any, where: str) -> Any:
        if not isinstance(steps, list | tuple):
            return steps
        return [self._with_step(step, f"{where}[{i}]") for i, step in enumerate(steps)]

    def _with_step(self, step: Any, where: str) -> Any:
        if not isinstance(step, Mapping):
            return step
        found = dict(step)
        if isinstance(given := step.get("attachments"), list | tuple):
            found["attachments"] = [self._name_of(file, f"{where}.attachments[{i}]") for i, file in enumerate(given)]
        if "steps" in step:
            found["steps"] = self.with_steps(step["steps"], f"{where}.steps")
        return found

    def _name_of(self, file: Any, where: str) -> Any:
        """The name of a file that is given by its path; anything else as it is."""
        if not isinstance(file, Mapping) or "path" not in file:
            return file
        given = repr(file)
        if given not in self._names:
            content, path = self._read(file, where), file["path"]
            names = chain([path], (f"{path} ({number})" for number in count(2)))
            self._names[given] = name = next(name for name in names if name not in self.named)
            self.named[name] = content
        return literal(self._names[given])

    def _read(self, file: Any, where: str) -> Any:
        """A file as a scenario has it, if it is given by a path."""
        if not isinstance(file, Mapping) or "path" not in file:
            return file
        if "base64" in file or "generate" in file:
            raise ScenarioError(f"{where}: give one of `path`, `base64` and `generate`")
        path = _below(self._folder, file["path"], f"{where}.path")
        content = _content(path, f"{where}.path: {file['path']}")
        self._bytes += len(content)
        if self._bytes > MAX_FILES_BYTES:
            raise ScenarioError(f"{where}: here the files have more than {MAX_FILES_BYTES:,} bytes; leave some out")
        rest = {key: value for key, value in file.items() if key != "path"}
        return {"name": PurePath(file["path"]).name, **rest, "base64": _packed(content)}


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


def _content(path: Path, where: str) -> bytes:
    try:
        return read_ordinary(path, MAX_BYTES)
    except FileError as exc:
        raise ScenarioError(f"{where}: {exc}") from exc


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _all_of(folder: Path, given: str) -> dict[str, Any]:
    """The paths of all files of a folder by their names, but hidden ones and folders."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as exc:
        raise ScenarioError(f"files: {given!r} is not a folder that can be read: {exc.strerror}") from exc
    if len(names) > MAX_FILES:
        raise ScenarioError(f"files: {given!r} has {len(names):,} files: at most {MAX_FILES:,} can be read")
    return {name: {"path": f"{given}/{name}"} for name in names}
