"""Replay of recorded conversations: `{"conversation_id", "messages": [{"role", "content"}]}` becomes a scenario.

The user's messages are sent; the recorded answers, not the target's, go into the history, so that every session
sends the same requests. Before each further message the user takes time in proportion to its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inputs.json_limits import text_problem
from scenarios.definition.spec import Say, ScenarioError, ScenarioSpec, Step, Wait, parse_tags
from scenarios.template.compiler import checked, literal

PER_CHARACTER_S: Final = 0.05
"""Seconds per character of the next message: a fast typist."""
MAX_WAIT_S: Final = 30.0
_SYSTEM_ROLES = frozenset({"system", "developer"})
_ROLES = "system, user, assistant"


def conversation_scenario(data: Mapping[str, Any], name: str, per_character_s: float = PER_CHARACTER_S) -> ScenarioSpec:
    """A scenario that replays `data`; `name` is used where it has no `conversation_id`.

    - System messages before the first user message are kept, joined by an empty line.
    - Two user messages in a row are two turns; what the target answers to the first stays in the history.
    - Two assistant messages in a row are one answer, joined by an empty line. The last answer may be missing.
    - An empty message, an unknown role, or a system or assistant message before or after its place is an error.

    Raises ScenarioError naming the message by its index, as in `messages[3]`.
    """
    replay = check_messages(data.get("messages"), per_character_s)
    title = data.get("conversation_id", name)
    if not isinstance(title, str | int) or not 1 <= len(str(title)) <= 120:
        raise ScenarioError("conversation_id: must be a text of 1 to 120 characters")
    checked(str(title))
    told, tags = data.get("description"), data.get("tags")
    description = told if isinstance(told, str) else ""
    known = parse_tags(tags) if isinstance(tags, Mapping) else {}
    if problem := text_problem({"description": description, "tags": known}):
        raise ScenarioError(problem)
    return ScenarioSpec(
        name=str(title),
        description=description,
        tags=known,
        system=literal("\n\n".join(replay.system)) if replay.system else None,
        history="scripted",
        steps=tuple(replay.steps()),
    )


def check_messages(messages: Any, per_character_s: float = PER_CHARACTER_S) -> Recorded:
    """A recorded conversation's turns. Raises ScenarioError as `conversation_scenario` does."""
    if not isinstance(messages, list) or not messages:
        raise ScenarioError("messages: must be a list of at least one message")
    replay = Recorded(per_character_s)
    for number, message in enumerate(messages):
        try:
            replay.add(message)
        except ScenarioError as exc:
            raise ScenarioError(f"messages[{number}]: {exc}") from exc
    if not replay.turns:
        raise ScenarioError("messages: there is no message of role 'user': nothing would be sent")
    return replay


class Recorded:
    """Collects messages into turns: a user's message and the recorded answer to it."""

    def __init__(self, per_character_s: float) -> None:
        self.system: list[str] = []
        self.turns: list[tuple[str, list[str]]] = []
        self._per_character_s = per_character_s

    def add(self, message: Any) -> None:
        if not isinstance(message, Mapping):
            raise ScenarioError("must be an object with `role` and `content`")
        role, content = message.get("role"), message.get("content")
        if not isinstance(content, str) or not content.strip():
            raise ScenarioError(f"`content` must be a text{_why_no_text(role, content)}")
        checked(content)
        if role == "user":
            self.turns.append((content, []))
        elif role == "assistant":
            if not self.turns:
                raise ScenarioError("a conversation begins with the user: this answer has no question")
            self.turns[-1][1].append(content)
        elif isinstance(role, str) and role in _SYSTEM_ROLES:
            if self.turns:
                raise ScenarioError("a system message must stand before the first user message")
            self.system.append(content)
        else:
            raise ScenarioError(f"the role {role!r} is unknown: use one of {_ROLES}")

    def steps(self) -> list[Step]:
        found: list[Step] = []
        for text, answers in self.turns:
            if found and self._per_character_s:
                found.append(Wait(seconds=0.0, per_character_s=self._per_character_s, max_s=MAX_WAIT_S))
            found.append(Say(text=literal(text), answer=literal("\n\n".join(answers)) if answers else None))
        return found


def _why_no_text(role: Any, content: Any) -> str:
    if content is None and role == "assistant":
        return ": an answer that is a tool call cannot be replayed"
    if isinstance(content, list) and content:
        return ": pictures, sounds and files cannot be replayed"
    return " that is not empty"
