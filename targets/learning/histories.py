"""Finds the conversation in a recorded body: a list of messages with roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from targets.learning.recorded.exchange import Path, at, leaves, replaced
from targets.learning.text_like import bare, is_id, said
from targets.learning.written import literal

ROLE_KEYS: Final = frozenset({"role", "author", "sender", "from", "type", "speaker", "who", "kind", "name", "source"})
ASSISTANT: Final = frozenset({"assistant", "ai", "bot", "model", "agent", "chatbot", "robot", "system_response", "llm"})
USER: Final = frozenset({"user", "human", "customer", "client", "me", "visitor", "enduser", "you", "person"})
SYSTEM: Final = frozenset({"system", "developer"})
CONTENT_KEYS: Final = ("content", "text", "message", "parts", "body", "value")
LISTS: Final = 40


@dataclass(frozen=True)
class History:
    """A list of messages at `path`. `role` and `content` are paths within an item; `role` empty: pairs of question and
    answer. `texts` and `roles` are those of its items."""

    path: Path
    items: list[Any]
    role: Path
    content: Path
    roles: list[str]
    texts: list[str]

    @property
    def ends_with_user(self) -> bool:
        return bool(self.roles) and bare(self.roles[-1]) in USER

    @property
    def has_system(self) -> bool:
        return any(bare(role) in SYSTEM for role in self.roles)

    @property
    def last_text(self) -> str:
        return next((text for text in reversed(self.texts) if text), "")

    def names(self) -> dict[str, str]:
        """Which of its words stand for user and assistant, where they are others."""
        found = {}
        for ours, words in (("user", USER), ("assistant", ASSISTANT)):
            theirs = next((role for role in self.roles if bare(role) in words), ours)
            if theirs != ours:
                found[ours] = theirs
        return found

    def expression(self, of: str) -> str:
        """The template that makes such a list of `of` ("messages" or "history")."""
        if not self.role:
            return f"{{{{ {of} | shaped('$content') | batch(2) | list }}}}"
        item = self.items[-1]
        if item.keys() == {"role", "content"} and not self.names() and isinstance(item["content"], str):
            return f"{{{{ {of} }}}}"
        names = self.names()
        more = f", {literal(names)}" if names else ""
        text = f"{of} | shaped({literal(self._shape(item))}{more})"
        return f"{{{{ {text} }}}}"

    def _shape(self, item: Any) -> Any:
        """The item with placeholders; an id of its own becomes one that no other message has."""
        changes: dict[Path, Any] = {self.role: "$role", self.content: "$content"}
        for path, value in leaves(item):
            if path not in changes and isinstance(value, str) and is_id(value):
                changes[path] = "message-$index"
        return replaced(item, changes)


def histories(body: Any) -> Iterator[History]:
    """All lists of messages in a document."""
    stack: list[tuple[Path, Any]] = [((), body)]
    seen = 0
    while stack and seen < LISTS * 50:
        path, value = stack.pop()
        seen += 1
        if isinstance(value, dict):
            stack += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            if found := _history(path, value):
                yield found
            else:
                stack += [((*path, index), inner) for index, inner in enumerate(value[:LISTS])]


def _history(path: Path, items: list[Any]) -> History | None:
    if all(isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in items):
        texts = [text for pair in items for text in pair]
        return History(path, items, (), (), ["user", "assistant"] * len(items), texts)
    if not all(isinstance(one, dict) for one in items):
        return None
    for role in _role_paths(items[-1]):
        roles = [at(one, role) for one in items]
        if not all(isinstance(one, str) for one in roles) or not all(_is_role(one) for one in roles):
            continue
        content = _content_path(items[-1], role)
        if content is None:
            return None
        texts = [text if isinstance(text := at(one, content), str) else "" for one in items]
        return History(path, items, role, content, roles, texts)
    return None


def _role_paths(item: dict[str, Any]) -> list[Path]:
    found = [path for path, value in leaves(item, 200) if isinstance(value, str) and bare(path[-1]) in ROLE_KEYS]
    return sorted(found, key=lambda path: (len(path), bare(path[-1]) != "role"))


def _is_role(word: str) -> bool:
    return bare(word) in USER | ASSISTANT | SYSTEM | {"tool"}


def _content_path(item: dict[str, Any], role: Path) -> Path | None:
    """Where an item's text is: of several the one with the likeliest key, and then the longest."""
    best: tuple[float, Path] | None = None
    for path, value in leaves(item, 200):
        if path == role or not isinstance(value, str) or is_id(value):
            continue
        named = max((10 - index for index, key in enumerate(CONTENT_KEYS) if bare(path[-1]) == key), default=0)
        score = named + said(value) - (8 if bare(path[-1]) in {"type", "id", "createdat", "timestamp"} else 0)
        if best is None or score > best[0]:
            best = (score, path)
    return best[1] if best and best[0] > 0 else None
