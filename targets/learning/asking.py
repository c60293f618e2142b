"""Finds the user's message, the conversation, ids and the model in a recorded request, and makes a template of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from targets.learning.asked import OWNERS, SESSION_KEYS, TURN_KEYS, Asked
from targets.learning.histories import History, histories
from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange, Path, at, leaves, replaced
from targets.learning.text_like import ASKS, OTHERS, bare, is_date, is_id, said, weight
from targets.learning.unnamed_ids import counted, is_fixed, texts_of
from targets.learning.written import constant, path_text

LEAST: Final = 3.5
MOST: Final = 4_000
"""Values of a body among which the message is."""
CLOSE_CALL: Final = 1.0
MODEL_KEYS: Final = frozenset({"model", "modelid", "modelname"})
TIME_KEYS: Final = frozenset({"timestamp", "createdat", "time", "sentat", "date", "ts", "clienttime"})
QUERY: Final = "?"
"""The first key of a path that leads into the query."""


class _Asking:
    def __init__(self, now: Exchange, before: Exchange | None, marker: str) -> None:
        self.now, self.before, self.marker = now, before, marker
        self.asked = Asked()
        self.changes: dict[Path, Any] = {}
        query = parse_qsl(now.parts.query, keep_blank_values=True, max_num_fields=1000)
        self.values: list[tuple[Path, Any]] = [
            *leaves(now.body, MOST),
            *(((QUERY, name), value) for name, value in query),
        ]
        self.histories = list(histories(now.body))

    def said_before(self, path: Path) -> Any:
        if self.before is None:
            return None
        if path[:1] == (QUERY,):
            return dict(parse_qsl(self.before.parts.query, max_num_fields=1000)).get(str(path[1]))
        return at(self.before.body, path)

    def candidates(self) -> Iterator[tuple[float, Path, str]]:
        inside = [found.path for found in self.histories]
        for path, value in self.values:
            if not isinstance(value, str) or OPEN in value or any(path[: len(one)] == one for one in inside):
                continue
            if self.marker:
                if self.marker in value:
                    yield 100.0 if value == self.marker else 90.0, path, value
                continue
            keys = [bare(key) for key in path if isinstance(key, str)]
            score = said(value) + 0.5 * weight(keys, ASKS)
            score -= 6.0 if keys and keys[-1] in OTHERS else 0.0
            if (old := self.said_before(path)) is not None:
                score += -4.0 if old == value else 3.0 if said(value) else 0.0
            if value.strip():
                yield score, path, value


def ask_score(exchange: Exchange, marker: str = "") -> float:
    """How much a request looks like one with a message."""
    asking = _Asking(exchange, None, marker)
    lists = [7.0 for one in asking.histories if one.ends_with_user and (not marker or marker in one.texts[-1])]
    return max([score for score, _, _ in asking.candidates()] + lists, default=0.0)


def asked_in(now: Exchange, before: Exchange | None = None, marker: str = "") -> Asked:
    """`before`: an earlier exchange of the same kind; `marker`: the message, if it is known."""
    asking = _Asking(now, before, marker)
    made = asking.asked
    leaf = _message(asking)
    _conversation(asking, leaf)
    _ids(asking)
    _models_and_times(asking)
    made.body = replaced(now.body, asking.changes, constant)
    made.ids = _known_ids(asking)
    made.path = _path(now, asking)
    return made


def _message(asking: _Asking) -> tuple[float, Path, str] | None:
    """The text outside of lists of messages that is the user's; the change for it is noted."""
    found = sorted(asking.candidates(), key=lambda one: -one[0])
    lists = [one for one in asking.histories if one.ends_with_user]
    if not found or found[0][0] < LEAST or (lists and not asking.marker and found[0][0] < 7):
        return None
    score, path, value = found[0]
    if len(found) > 1 and score - found[1][0] < CLOSE_CALL and not asking.marker:
        asking.asked.unsure.append(
            f"the message is taken to be at {_place(path)}; it may be at {_place(found[1][1])} (name it with --message)"
        )
    inner = asking.marker or value
    asking.changes[path] = "{{ message }}".join(constant(part) for part in value.split(inner))
    asking.asked.message = inner
    return found[0]


def _place(path: Path) -> str:
    if path[:1] == (QUERY,):
        return f"the query's {path[1]}"
    text = path_text(path)
    return f"body{text}" if text.startswith("[") else f"body.{text}"


def _conversation(asking: _Asking, leaf: tuple[float, Path, str] | None) -> None:
    made = asking.asked
    lists = asking.histories
    if asking.marker and leaf is None:
        lists = [one for one in lists if any(asking.marker in text for text in one.texts)]
    if not lists:
        if leaf is None:
            known = f" {asking.marker[:40]!r} is not in the request" if asking.marker else " name it with --message"
            made.untold.append(f"where the user's message is:{known}")
        _empty_history(asking)
        return
    chosen = max(lists, key=lambda one: (one.ends_with_user, len(one.items)))
    if chosen.has_system:
        made.unsure.append("the recorded system message is left to the scenario, which gives its own")
    if leaf is not None:
        last = chosen.ends_with_user and chosen.texts[-1] == leaf[2]
        asking.changes[chosen.path] = chosen.expression("messages" if last else "history")
        return
    made.message = asking.marker or chosen.last_text
    if _new_only(asking, chosen):
        made.state = True
        one = _ids_of_turn(constant(chosen.items[-1]), chosen)
        asking.changes[chosen.path] = [replaced(one, {chosen.content: "{{ message }}"})]
    else:
        asking.changes[chosen.path] = chosen.expression("messages")


def _ids_of_turn(item: Any, chosen: History) -> Any:
    changes = {
        path: "{{ message_id }}"
        for path, value in leaves(item)
        if isinstance(value, str) and is_id(value) and path != chosen.role
    }
    return replaced(item, changes)


def _new_only(asking: _Asking, chosen: History) -> bool:
    """Whether a list of messages holds the new one alone."""
    if len(chosen.items) - sum(bare(role) == "system" for role in chosen.roles) > 1:
        return False
    earlier = at(asking.before.body, chosen.path) if asking.before else None
    if isinstance(earlier, list):
        return len(earlier) == len(chosen.items)
    has_id = any(bare(path[-1]) in SESSION_KEYS and path[-1] != "user" for path, value in asking.values if value)
    in_path = (unquote(part) for part in asking.now.parts.path.split("/"))
    has_id = has_id or any(is_id(part) or part.startswith(f"{OPEN}saved.") for part in in_path)
    what = "the new message alone" if has_id else "the whole conversation"
    asking.asked.unsure.append(f"each turn sends {what}: one turn was recorded, a second one would show it")
    return has_id


def _empty_history(asking: _Asking) -> None:
    """A list for the conversation that was empty shows no shape."""
    body = asking.now.body if isinstance(asking.now.body, dict) else {}
    for key, value in body.items():
        if value == [] and "history" in bare(key):
            asking.asked.untold.append(
                f"the shape of body.{key}, which was empty: it is sent empty; record a second turn"
            )


def _ids(asking: _Asking) -> None:
    """Ids that the recorded conversation had must not be those of all conversations."""
    documents = asking.now.answer.documents if asking.now.answer else []
    given = {bare(p[-1]): (p, v) for one in documents[:200] for p, v in leaves(one, 500) if p and isinstance(v, str)}
    for path, value in asking.values:
        key = bare(path[-1]) if path else ""
        if path in asking.changes or any(path[: len(one)] == one for one in asking.changes):
            continue
        if key in SESSION_KEYS | OWNERS:
            _session_id(asking, path, key, value, given)
        elif key in TURN_KEYS and isinstance(value, str) and is_id(value):
            asking.changes[path] = "{{ message_id }}"
            asking.asked.unsure.append(f"{_place(path)} is taken to be new with each turn")
    _unnamed(asking)


def _unnamed(asking: _Asking) -> None:
    """Ids and counters of other names."""
    asked = asking.asked
    told, echoed = texts_of(asking.before), texts_of(asking.now)
    for path, value in asking.values:
        if path in asking.changes or any(path[: len(one)] == one for one in asking.changes):
            continue
        old = asking.said_before(path)
        if found := counted(path, value, old):
            asked.unsure.append(f"{_place(path)} {found[1]}")
            if found[0]:
                asking.changes[path] = found[0]
        elif not isinstance(value, str) or not is_id(value) or is_fixed(path) or is_date(value):
            if isinstance(value, str) and isinstance(old, str) and value != old:
                asked.unsure.append(f"{_place(path)} was another one in the turn before: it is sent as it was recorded")
            continue
        elif value in told and isinstance(told[value][-1], str):
            name = _name(str(path[-1]))
            asked.saves[name] = bare(told[value][-1])
            asking.changes[path] = f"{{{{ saved.{name} }}}}"
            asked.unsure.append(f"{_place(path)} is taken from the answer before; the first turn is sent without it")
        elif old is not None and old != value:
            asking.changes[path] = "{{ message_id }}"
            asked.unsure.append(f"{_place(path)} is taken to be new with each turn")
        elif value in echoed:
            asking.changes[path] = "{{ session.id }}"
            asked.unsure.append(f"{_place(path)} stands in the answer too: it is taken to be the conversation's own")


def _known_ids(asking: _Asking) -> dict[str, str]:
    """Recorded ids with what stands for them, for other places of the request."""
    return {
        value: asking.changes[path]
        for path, value in asking.values
        if isinstance(value, str) and is_id(value) and isinstance(asking.changes.get(path), str)
    }


def _session_id(asking: _Asking, path: Path, key: str, value: Any, given: dict[str, tuple[Path, str]]) -> None:
    made, old = asking.asked, asking.said_before(path)
    name = str(path[-1])
    earlier = asking.before.answer.documents if asking.before and asking.before.answer else []
    told = [v for one in earlier[:200] for p, v in leaves(one, 500) if p and bare(p[-1]) == key]
    answered = key in given and "id" in key
    if (value and value in told) or (answered and (not value or (old is not None and old != value))):
        asking.changes[path] = f"{{{{ saved.{_name(name)} }}}}"
        made.saves[_name(name)] = key
        made.state = True
        if value not in told:
            made.unsure.append(f"{_place(path)} is taken from the answer before; the first turn is sent without it")
    elif isinstance(value, str) and _is_own(key, value) and (old is None or old == value):
        asking.changes[path] = "{{ session.id }}"
        made.state = made.state or "id" in key
        made.unsure.append(f"{_place(path)} is taken to be any text that is the conversation's own")


def _is_own(key: str, value: str) -> bool:
    """Whether a value is an id: of a conversation it may be any word."""
    return is_id(value) or (key in SESSION_KEYS and bool(value) and OPEN not in value and " " not in value)


def _name(key: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in key) or "value"


def _models_and_times(asking: _Asking) -> None:
    for path, value in asking.values:
        key = bare(path[-1]) if path else ""
        if path in asking.changes or any(path[: len(one)] == one for one in asking.changes):
            continue
        if key in MODEL_KEYS and isinstance(value, str) and path[:1] != (QUERY,):
            asking.changes[path] = "{{ params.model }}"
            asking.asked.params["model"] = value
        elif key in TIME_KEYS and value:
            asking.asked.unsure.append(f"{_place(path)} is a time, and is sent as it was recorded")


def _path(now: Exchange, asking: _Asking) -> str:
    """Path and query as a template."""
    made = asking.asked
    head, _, query = now.url.partition("://")[2].partition("?")
    path = head[head.index("/") :] if "/" in head else ""
    path = "/".join(made.ids.get(unquote(part), str(constant(part))) for part in path.split("/"))
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    asked = [f"{name}{equals}{_asked(name, value, asking)}" for name, equals, value in pairs]
    return path + (f"?{'&'.join(asked)}" if asked else "")


def _asked(name: str, value: str, asking: _Asking) -> str:
    change = asking.changes.get((QUERY, unquote(name)))
    if change is None:
        return str(constant(value))
    return str(change) if CLOSE in value or change.startswith("{{") else quote(change, safe="{}. ")
