"""Reads tables of spreadsheets and databases, for `--data` and `--trace`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from scenarios.definition.spec import ScenarioError
from scenarios.importers.reading import MAX_RECORD_CHARS, Source, lines

TABLES: Final = frozenset({".csv", ".tsv", ".tab", ".psv"})
_DELIMITERS: Final = ",;\t|"
_NO_DELIMITER: Final = "\x1f"
"""For a table of one column, whose texts may hold commas."""
_SEP: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""Excel's own first line, which names the separator."""
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"?')
_BACKSLASHED: Final = re.compile(r'(?<!\\)((?:\\\\)*)\\"')

_SPACED: Final = re.compile(r' +"(?:.*"\s*)?', re.DOTALL)

csv.field_size_limit(MAX_RECORD_CHARS)  # a limit of the process: a cell may be as long as a JSON text


def table(source: Source) -> Iterator[tuple[str, dict[str, str]]]:
    r"""(where, cells by column) of each row; `where` is the file and the line on which the row begins.

    The first line names the columns. Cells are separated by what a line `sep=;` says, else by whichever of comma,
    semicolon, tab and bar the first line has most of. Cells in quotation marks may hold line breaks, and marks that are
    doubled or have a backslash. Not read: lines that begin with # and are no row, rows without any text, and columns
    that have neither a name nor a text, as spreadsheets leave them behind the last. Raises ScenarioError.
    """
    rows = _Rows(source)
    head = next(rows, None)
    if head is None:
        return
    names = [" ".join(name.split()) for name in head]
    _check_names(f"{source.name}: line {rows.at}", names)
    for cells in rows:
        where = f"{source.name}: line {rows.at}"
        if not any(cell.strip() for cell in cells) or (cells[0].startswith("#") and len(cells) < len(names)):
            continue
        yield where, _row(where, names, cells, rows.delimiter)


class _Rows:
    """The rows of a table as lists of cells; `at` is the first line of the last row."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._numbered = lines(source, blank=True)
        self._taken: list[tuple[int, str]] = []
        """Lines of the row that is being read."""
        self._backslashes = False
        self.at = 1
        self.delimiter = ","
        self._spaced = False
        self._width = 0
        self._begin()
        self._reader = self._new_reader()

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> list[str]:
        while True:
            self._taken = []
            try:
                cells = next(self._reader)
            except csv.Error as exc:
                self._recover(exc)
                continue
            if not cells:
                continue
            if not self._spaced and self._looks_spaced(cells):
                self._spaced = True
                self._again()
                continue
            self.at, self._width = self._taken[0][0], self._width or len(cells)
            return cells

    def _looks_spaced(self, cells: list[str]) -> bool:
        """Whether cells in quotation marks have a space before them, as in `"a", "b, c"`."""
        if self._width and len(cells) != self._width:
            return any(_SPACED.match(cell) for cell in cells)
        return any(_SPACED.fullmatch(cell) for cell in cells)

    def _begin(self) -> None:
        """Skip everything before the column names, and determine the separator."""
        first = next(self._numbered, None)
        found = None if first is None else _SEP.fullmatch(first[1])
        if found is not None:
            self.delimiter = found[1]
            return
        head = [] if first is None else [first]
        while head and (not head[-1][1].strip() or _may_be_comment(head[-1][1])):
            if (following := next(self._numbered, None)) is None:
                break
            if _is_header(head[-1][1], following[1]):
                head.append(following)
                break
            head = [following]
        self._numbered = chain(iter(head), self._numbered)
        self.delimiter = self._sniff()

    def _sniff(self) -> str:
        """What separates the cells of the first row, which may go over several lines."""
        head: list[tuple[int, str]] = []
        text = ""
        for numbered in self._numbered:
            head.append(numbered)
            text += numbered[1] + "\n"
            if text.count('"') % 2 == 0 or len(text) > MAX_RECORD_CHARS:
                break
        self._numbered = chain(head, self._numbered)
        bare = _QUOTED.sub("", text)
        if "\t" in bare and self._source.suffix in (".tsv", ".tab"):
            return "\t"
        best = max(_DELIMITERS, key=bare.count)
        return best if best in bare else _NO_DELIMITER

    def _new_reader(self) -> Iterator[list[str]]:
        return iter(csv.reader(self._lines(), delimiter=self.delimiter, strict=True, skipinitialspace=self._spaced))

    def _lines(self) -> Iterator[str]:
        size = 0
        for number, line in self._numbered:
            size = size + len(line) if self._taken else len(line)
            self._taken.append((number, line))
            if size > MAX_RECORD_CHARS:
                raise self._unclosed()
            yield (_BACKSLASHED.sub(r'\1""', line) if self._backslashes else line) + "\n"

    def _recover(self, exc: csv.Error) -> None:
        """Read the row, and all that follow, again with the other style of quoting. Raises ScenarioError."""
        text = "\n".join(line for _, line in self._taken)
        if not self._backslashes and '\\"' in text:
            self._backslashes = True
        elif "unexpected end of data" in str(exc):
            raise self._unclosed() from exc
        else:
            at = self._taken[-1][0] if self._taken else self.at
            raise ScenarioError(
                f"{self._source.name}: line {at}: {exc}: quotation marks inside a quoted cell are written twice"
            ) from exc
        self._again()

    def _again(self) -> None:
        self._numbered = chain(self._taken, self._numbered)
        self._reader = self._new_reader()

    def _unclosed(self) -> ScenarioError:
        at = self._taken[0][0] if self._taken else self.at
        return ScenarioError(f"{self._source.name}: line {at}: a quotation mark is opened in this row and never closed")


def _may_be_comment(line: str) -> bool:
    return line.startswith("#")


def _is_header(line: str, following: str) -> bool:
    """Whether a first line that begins with # names columns: `#id,q` before a row of as many cells."""
    if not line.strip() or line.startswith("# ") or following.startswith("#"):
        return False
    counts = [(line.count(mark), following.count(mark)) for mark in _DELIMITERS]
    return any(mine and mine == other for mine, other in counts)


def _check_names(where: str, names: list[str]) -> None:
    for place, name in enumerate(names):
        if name and name in names[:place]:
            columns = f"{names.index(name) + 1} and {place + 1}"
            raise ScenarioError(f"{where}: columns {columns} are both named {name!r}: each needs a name of its own")
    if not any(names):
        raise ScenarioError(f"{where}: names no column")


def _row(where: str, names: list[str], cells: list[str], delimiter: str) -> dict[str, str]:
    width = len(names)
    if len(cells) != width:
        if len(cells) < width and not any(names[len(cells) :]):
            cells = [*cells, *[""] * (width - len(cells))]
        elif len(cells) < width or any(cell.strip() for cell in cells[width:]):
            count = f"{len(cells)} value" + ("" if len(cells) == 1 else "s")
            quote = f": put texts with {_mark(delimiter)} in quotation marks" if len(cells) > width else ""
            raise ScenarioError(f"{where}: has {count}, and the first line names {width}{quote}")
    for place, (name, cell) in enumerate(zip(names, cells, strict=False), 1):
        if not name and cell.strip():
            raise ScenarioError(f"{where}: column {place} holds {cell.strip()!r:.40} and has no name in the first line")
    return {name: cell for name, cell in zip(names, cells, strict=False) if name}


def _mark(delimiter: str) -> str:
    return "tabs" if delimiter == "\t" else f"{delimiter!r}"
