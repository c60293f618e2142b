"""The tool calls of an answer: which tools with which arguments, put together from whole calls or pieces. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from connectors.content.decoding import mended, mended_value
from connectors.errors import TooLarge
from plain_text.visible import visible

MOST_CALLS: Final = 128
"""In one turn: as many as a vendor lets a request declare."""
MOST_CHARS: Final = 1024 * 1024
"""Of the names and arguments of one turn's calls."""
NAME_CHARS: Final = 64
STEP: Final = "tool."
"""How the times of calls and their rounds begin among a turn's steps in ledgers. The name of no handshake step has a
dot."""
MOST_NAMES: Final = 50
"""Different names of tools per process: the target chooses them, and reports count by them."""
NO_NAME: Final = "(no name)"
OTHER_NAME: Final = "(other)"

Get = Callable[[Any], Any]


class CallPaths(NamedTuple):
    """What finds calls in an event or answer: all of them, and the parts of one. `key` tells to which call a piece
    belongs; None: each is whole."""

    at: Get
    key: Get | None
    id: Get
    name: Get
    arguments: Get


class ToolCall:
    """`raw`: the call, or its first piece, as it came."""

    __slots__ = ("_arguments", "id", "name", "raw")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.id: str | None = None
        self.name: str | None = None
        self._arguments: list[str] = []

    @property
    def arguments(self) -> str:
        """JSON, if the model wrote it well; empty if it wrote none."""
        return mended("".join(self._arguments))

    def add(self, paths: CallPaths, item: Any) -> int:
        """Take what this item has of it. Returns how many characters came."""
        if self.id is None and type(found := paths.id(item)) is str and found:
            self.id = mended(found)
        size = 0
        if self.name is None and type(name := paths.name(item)) is str and name:
            self.name = mended(name)
            size = len(name)
        if (arguments := paths.arguments(item)) is None:
            return size
        text = arguments if type(arguments) is str else _as_json(arguments)
        self._arguments.append(text)
        return size + len(text)


class Round(NamedTuple):
    """An answer that was not a turn's last: how long it took, its tokens as the target told them (None: it did not),
    and the characters of its text and calls."""

    took_ns: int
    input: int | None
    output: int | None
    chars: int


class ToolCalls:
    """Those of one turn, in their order. `first_ns`: when the first of them began to come. Of a turn in which results
    were sent back, `rounds` are its answers but the last, whose calls begin at `new`."""

    __slots__ = ("_by_key", "_room", "calls", "first_ns", "new", "rounds")

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.first_ns = 0
        self.new = 0
        self.rounds: list[Round] = []
        self._by_key: dict[str | int, ToolCall] = {}
        self._room = MOST_CHARS

    def take(self, ns: int, paths: CallPaths, message: Any) -> bool:
        """What an event or answer has of them. Returns whether it has any. Raises TooLarge."""
        found = paths.at(message)
        if type(found) is dict:
            found = [found]
        elif type(found) is not list:
            return False
        had = False
        for item in found:
            if type(item) is dict and _has_part(paths, item):
                had = True
                self._room -= self._call_of(ns, paths, item).add(paths, item)
                if self._room < 0:
                    what = f"the tool calls of the turn have more than {MOST_CHARS} characters"
                    raise TooLarge("body_too_large", what)
        return had

    def next_round(self, ended: Round) -> None:
        """The results of all these calls are sent back."""
        self.rounds.append(ended)
        self.new = len(self.calls)
        self._by_key = {}

    def _call_of(self, ns: int, paths: CallPaths, item: dict[str, Any]) -> ToolCall:
        """The one that the item belongs to, which may begin with it."""
        name = paths.name(item)
        key = None if paths.key is None else paths.key(item)
        if type(key) is str or type(key) is int:
            known = self._by_key.get(key)
            told = paths.id(item)
            # Some servers give all calls one index: another id and a name tell that another call begins.
            if known is not None and not (name and known.id is not None and told and told != known.id):
                return known
        elif paths.key is not None and not name and len(self.calls) > self.new:
            return self.calls[-1]
        if len(self.calls) >= MOST_CALLS:
            raise TooLarge("body_too_large", f"the turn has more than {MOST_CALLS} tool calls")
        if not self.calls:
            self.first_ns = ns
        call = ToolCall(item)
        self.calls.append(call)
        if type(key) is str or type(key) is int:
            self._by_key[key] = call
        return call


def _as_json(arguments: Any) -> str:
    """Raises TooLarge."""
    try:
        return orjson.dumps(mended_value(arguments)).decode()
    except TypeError as exc:
        raise TooLarge("message_too_deep", "the arguments of a tool call are nested too deeply") from exc


def _has_part(paths: CallPaths, item: dict[str, Any]) -> bool:
    """Whether it has something of a call: an event may be about something else."""
    return any(get(item) is not None for get in (paths.name, paths.arguments, paths.id))


_NAME: Final = re.compile(r"[\w.:/@+-]+")
"""As vendors let tools be named, and in any script."""


def _is_name(word: str) -> bool:
    return word == NO_NAME or (_NAME.fullmatch(word) is not None and visible(word) == word)


class ToolNames:
    """The names of the tools that a target calls, at most MOST_NAMES of them: all beyond are one, and so are texts that
    are no names, for people may read figures who may not read what a model says."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def of(self, call: ToolCall) -> str:
        """As reports count it."""
        if call.name is None:
            return NO_NAME
        word = " ".join(call.name[: 4 * NAME_CHARS].split())[:NAME_CHARS] or NO_NAME
        if word not in self._known:
            if len(self._known) >= MOST_NAMES or not _is_name(word):
                return OTHER_NAME
            self._known.add(word)
        return word
