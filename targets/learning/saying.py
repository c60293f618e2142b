"""Finds the answer's text, its end, usage and finish reason in a recorded answer that is one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from targets.learning.recorded.exchange import Path, at, leaves, words
from targets.learning.text_like import OTHERS, SAYS, bare, said, weight
from targets.learning.written import path_text

LEAST: Final = 3.0
CLOSE_CALL: Final = 1.0
INPUT: Final = words(
    """
    prompttokens inputtokens prompttokencount inputtokencount tokensin promptevalcount inputcount numinputtokens
    """
)
OUTPUT: Final = words(
    """
    completiontokens outputtokens candidatestokencount outputtokencount tokensout evalcount generatedtokens
    numoutputtokens responsetokens
    """
)
INPUT_WORDS: Final = frozenset({"input", "in", "prompt", "request", "sent"})
OUTPUT_WORDS: Final = frozenset({"output", "out", "completion", "response", "generated", "received", "answer"})
FINISH: Final = frozenset({"finishreason", "stopreason", "donereason", "finish"})
REASONING: Final = ("reason", "think", "thought")
ITEMS: Final = 20


@dataclass
class Said:
    """`response` of a mapping. `text`: what it should read in the recorded answer."""

    response: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    unsure: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)


def score_of(path: Path, text: str) -> float:
    """How much a text in an answer looks like the chatbot's."""
    keys = [bare(key) for key in path if isinstance(key, str)]
    score = said(text) + 0.5 * weight(keys, SAYS, default=2.0)
    if keys and keys[-1] in OTHERS:
        score -= 6.0
    if any(word in key for key in keys for word in REASONING):
        score -= 4.0
    return score - (
        3.0 if any(key in {"error", "errors", "debug", "metadata", "sources", "citations"} for key in keys) else 0
    )


def said_in_whole(document: Any, message: str) -> Said:
    """`message`: the user's, which an answer may repeat."""
    made = Said()
    found = sorted(
        (
            (score_of(path, value) - (8.0 if value == message else 0.0), path, value)
            for path, value in leaves(document)
            if isinstance(value, str) and value.strip()
        ),
        key=lambda one: -one[0],
    )
    if not found or found[0][0] < LEAST:
        made.untold.append(f"where the answer's text is: {_seen(document)}")
        return made
    score, path, text = found[0]
    others = [one for one in found[1:] if score - one[0] < CLOSE_CALL and not _alike(one[1], path)]
    if others:
        made.unsure.append(f"the text is taken to be at {path_text(path)}; it may be at {path_text(others[0][1])}")
    made.response["text"], made.text = _joined(document, path, text)
    made.response.update(beside(document))
    return made


def _seen(document: Any) -> str:
    keys = ", ".join(list(document)[:8]) if isinstance(document, dict) else type(document).__name__
    return f"the answer has {keys or 'nothing'}"


def _alike(one: Path, other: Path) -> bool:
    """Whether two paths differ in indexes alone."""
    return len(one) == len(other) and all(
        a == b or (isinstance(a, int) and isinstance(b, int)) for a, b in zip(one, other, strict=True)
    )


def _joined(document: Any, path: Path, text: str) -> tuple[str, str]:
    """The path to all texts of a list, if the one at `path` has others beside it."""
    for index, key in reversed(list(enumerate(path))):
        if not isinstance(key, int):
            continue
        before, after = path[:index], path[index + 1 :]
        items = at(document, before) if before else document
        texts = [
            value
            for one in items[:ITEMS]
            if isinstance(value := at(one, after) if after else one, str) and value.strip()
        ]
        kinds = [one.get("type") for one in items[:ITEMS] if isinstance(one, dict)]
        if len(texts) < 2 and len(set(map(str, kinds))) < 2:
            continue
        own = items[key].get("type") if isinstance(items[key], dict) else None
        mixed = isinstance(own, str) and len(set(map(str, kinds))) > 1
        if mixed:
            texts = [
                v
                for one in items[:ITEMS]
                if isinstance(one, dict) and one.get("type") == own and isinstance(v := at(one, after), str)
            ]
        chosen = f"[?type=='{own}']" if mixed and "'" not in str(own) else "[*]"
        glue = "\n" if not before else ""
        inner = f".{path_text(after)}" if after else ""
        return f"{path_text(before)}{chosen}{inner} | join('{glue}', @)", glue.join(texts)
    return path_text(path), text


def beside(document: Any) -> dict[str, Any]:
    """Usage and finish reason of a document, as parts of a mapping."""
    found: dict[str, Any] = {}
    usage: dict[str, str] = {}
    for path, value in leaves(document, 2000):
        key = bare(path[-1]) if path else ""
        if isinstance(value, int) and not isinstance(value, bool):
            side = _side(path)
            if side == "input":
                usage.setdefault("input", path_text(path))
            elif side == "output":
                usage.setdefault("output", path_text(path))
        elif key in FINISH and isinstance(value, str) and value:
            found.setdefault("finish", path_text(path))
    return found | ({"usage": usage} if usage else {})


def _side(path: Path) -> str:
    """Which tokens a number counts: by its key, with the key before it, or within a usage."""
    keys = [bare(key) for key in path if isinstance(key, str)]
    named = {*keys[-1:], "".join(keys[-2:])}
    if named & INPUT:
        return "input"
    if named & OUTPUT:
        return "output"
    if any("usage" in key or key == "tokens" for key in keys[:-1]):
        return "input" if keys[-1] in INPUT_WORDS else "output" if keys[-1] in OUTPUT_WORDS else ""
    return ""


def unknown_usage(documents: Iterable[Any]) -> str:
    """Where something is counted that may be tokens, without a word that says which; empty: nowhere."""
    for document in documents:
        for path, value in leaves(document, 2000):
            keys = [bare(key) for key in path if isinstance(key, str)]
            counts = isinstance(value, int) and not isinstance(value, bool)
            if counts and any("usage" in key or "token" in key for key in keys):
                return path_text(path)
    return ""


def paths_of_keys(documents: list[Any], saves: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    """Where the values that later turns need stand: name, path, and the number of the document."""
    for name, key in saves.items():
        for number, document in enumerate(documents[:200]):
            path = next(
                (p for p, v in leaves(document, 500) if p and bare(p[-1]) == key and isinstance(v, str) and v), None
            )
            if path is not None:
                yield name, path_text(path), number
                break
