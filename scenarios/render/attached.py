"""Files that go with a message: which ones, compiled. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from attachments.attachment import Attachment, AttachmentError
from inputs.wording import nearest
from scenarios.definition.files import MAX_FILES_BYTES, MAX_MADE_BYTES, FileSpec, file_of
from scenarios.definition.spec import ScenarioError
from scenarios.template.compiler import Scope, compile_value
from scenarios.template.names import Names

_One = Callable[[Scope], Attachment]
_GIVEN: Final = frozenset({"base64", "name", "type"})
_KEPT: Final = MAX_FILES_BYTES
"""Bytes of files from templates that are kept, so that what stands in rows is decoded once."""


class Attached:
    """What a `say` step attaches. `fixed` are those that are known before the run, `source` has the templates of the
    others. Raises ScenarioError when built."""

    def __init__(self, given: Iterable[Any], files: Mapping[str, FileSpec], names: Names, where: str) -> None:
        self._files = files
        self._kept: dict[tuple[Any, ...], Attachment] = {}
        self._kept_bytes = 0
        self.fixed: list[FileSpec] = []
        self.source = ""
        self._all: list[_One] = []
        for number, one in enumerate(given):
            try:
                self._all.append(self._compiled(one, names))
            except (AttachmentError, ScenarioError) as exc:
                raise ScenarioError(f"{where}[{number}]: {exc}") from exc

    def of(self, scope: Scope) -> tuple[Attachment, ...]:
        """Raises ScenarioError."""
        try:
            return tuple([one(scope) for one in self._all])
        except (AttachmentError, ScenarioError) as exc:
            raise ScenarioError(f"attachments: {exc}") from exc

    def prepare(self) -> None:
        """Make what is to be made."""
        for file in self.fixed:
            for number in range(file.variants):
                file.variant(number).data  # noqa: B018 - makes it

    def _compiled(self, given: Any, names: Names) -> _One:
        if not isinstance(given, str | dict):
            raise ScenarioError("must be the name of one of `files`, or a file as there")
        get = compile_value(given, names)
        if get is not None:
            self.source += given if isinstance(given, str) else "".join(map(str, given.values()))
            return lambda scope: self._found(get(scope), scope)
        file = self._named(given) if isinstance(given, str) else file_of(given)
        self.fixed.append(file)
        return lambda scope: _one_of(file, scope)

    def _named(self, name: str) -> FileSpec:
        if name not in self._files:
            known = ", ".join(sorted(self._files)[:20]) or "none"
            raise ScenarioError(
                f"there is no file {name[:80]!r} in `files`: it has {known}{nearest(name, self._files)}"
            )
        return self._files[name]

    def _found(self, value: Any, scope: Scope) -> Attachment:
        """What a template gave."""
        if isinstance(value, str):
            return _one_of(self._named(value), scope)
        if not isinstance(value, dict) or "base64" not in value:
            raise ScenarioError("a template must give the name of one of `files`, or an object with `base64`")
        key = tuple(value.get(name) for name in ("base64", "name", "type"))
        if value.keys() - _GIVEN or not all(part is None or isinstance(part, str) for part in key):
            return file_of(value).variant(0)  # raises, saying why
        kept = self._kept.get(key)
        if kept is None:
            kept = file_of(value).variant(0)
            scope.charge(kept.size)
            self._keep(key, kept)
        return kept

    def _keep(self, key: tuple[Any, ...], attachment: Attachment) -> None:
        self._kept_bytes += attachment.size
        if self._kept_bytes > _KEPT:
            self._kept.clear()
            self._kept_bytes = attachment.size
        self._kept[key] = attachment


def _one_of(file: FileSpec, scope: Scope) -> Attachment:
    """Of several variants, each conversation has the next."""
    return file.variant(int(scope.session.get("number", 0)))


def check_made(all_attached: Iterable[Attached | None]) -> None:
    """Raises ScenarioError if more would be made in each engine than fits."""
    files = {id(file): file.made_bytes for attached in all_attached if attached is not None for file in attached.fixed}
    if (total := sum(files.values())) > MAX_MADE_BYTES:
        raise ScenarioError(
            f"attachments: {total:,} bytes of files would be made: at most {MAX_MADE_BYTES:,} fit;"
            " give fewer variants, or smaller files"
        )
