"""Options of `burn`: who the simulated users are."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runs.engine.people import excluded
from tokenburn_site.burn import values
from tokenburn_site.burn.errors import BadUsage

ALL: Final = "all"
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"{_NUMBER}\.\.{_NUMBER}")
_FIRST = re.compile(rf"{_NUMBER}(%?):(\d{{1,6}})(?:-(\d{{1,6}}))?")
_SHARE = re.compile(rf"{_NUMBER}(%?)")
SPREADS: Final = ("normal", "lognormal", "exponential")
SPREAD_HELP: Final = "2s, 1s..4s, exponential:5s, normal:5s,2s or lognormal:5s,2s (mean, spread)"
THINK: Final = {"think": "pause_s", "reading_wpm": "reading_wpm", "typing_wpm": "typing_wpm", "think_max": "max_s"}
PATIENCE: Final = {
    "patience": "within_s",
    "patience_until": "until",
    "impatient": "then",
    "impatient_share": "share",
    "resends": "times",
}
"""Option and field of the part."""


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("who the users are (drawn for each conversation, from the seed)")
    group.add_argument(
        "--models",
        type=models,
        metavar="A,B|all",
        help="each conversation asks for one of them; all: the target's list",
    )
    group.add_argument(
        "--exclude-models",
        type=exclusion_file,
        metavar="FILE",
        help="models to leave out: a pattern a line, # comments",
    )
    group.add_argument("--temperature", type=temperatures, metavar="A..B", help="of each conversation: 0.5..1.0")
    group.add_argument(
        "--first-messages", type=first_messages, metavar="S:A-B", help="20%%:1-3: that share ends after 1 to 3 messages"
    )
    group.add_argument("--at-once", type=values.positive, metavar="N", help="conversations at a time, of each user")
    group.add_argument("--think", type=spread, metavar="T", help=f"pause before each further message: {SPREAD_HELP}")
    group.add_argument("--reading-wpm", type=pace, metavar="N", help="read the answer at so many words a minute first")
    group.add_argument("--typing-wpm", type=pace, metavar="N", help="type the message at so many words a minute")
    group.add_argument("--think-max", type=values.duration, metavar="T", help="of all three together; default 60s")
    group.add_argument("--patience", type=spread, metavar="T", help="how long users wait for an answer, as --think")
    group.add_argument(
        "--patience-until", choices=("content", "done"), help="for its first word (default), or for all of it"
    )
    group.add_argument(
        "--impatient",
        choices=("abandon", "resend", "double"),
        help="who waits no longer leaves (default), or sends again",
    )
    group.add_argument(
        "--impatient-share", type=share, metavar="P", help="of conversations: 30%%; the others wait for ever"
    )
    group.add_argument("--resends", type=values.positive, metavar="N", help="of one message, before leaving; default 1")


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data. Raises BadUsage."""
    people: dict[str, Any] = {}
    if given["models"] is not None:
        people |= {"models_from_target": True} if given["models"] == ALL else {"models": given["models"]}
    if given["exclude_models"] is not None:
        if given["models"] is None:
            raise BadUsage("--exclude-models leaves models out of --models: give that too, for example --models all")
        people["exclude"] = given["exclude_models"]
    if given["models"] is not None and given["model"] is not None:
        raise BadUsage("give --model or --models, not both: the one fixes what the other draws")
    if given["temperature"] is not None and any(name == "temperature" for name, _ in given["params"]):
        raise BadUsage("give --temperature or --param temperature=, not both: the one fixes what the other draws")
    people |= {name: given[name] for name in ("temperature", "first_messages", "at_once") if given[name] is not None}
    if given["at_once"] is not None and given["users"] is None:
        raise BadUsage("--at-once is for --users: what arrives at a rate is one conversation each")
    think = _part(given, THINK)
    if think:
        if not think.keys() - {"max_s"}:
            raise BadUsage("--think-max is the most of a pause: give --think, --reading-wpm or --typing-wpm")
        people["think"] = think
    patience = _part(given, PATIENCE)
    if patience:
        if "within_s" not in patience:
            raise BadUsage("say how long users wait: --patience 10s")
        if "times" in patience and patience.get("then") != "resend":
            raise BadUsage("--resends is for --impatient resend")
        people["patience"] = patience
    return {"people": people} if people else {}


def _part(given: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {field: given[option] for option, field in fields.items() if given[option] is not None}


def models(text: str) -> str | list[str]:
    """Names of models, or "all"."""
    names = [name.strip() for name in text.split(",")]
    if names == [ALL]:
        return ALL
    if not all(names) or len(set(names)) < len(names):
        raise ArgumentTypeError(f"{text!r} is no list of models: write each once, as in small,large, or {ALL}")
    return names


def exclusion_file(text: str) -> list[str]:
    """The patterns of that file."""
    try:
        return list(excluded(Path(text).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as exc:
        raise ArgumentTypeError(f"{text}: {getattr(exc, 'strerror', None) or 'it is no text'}") from exc


def temperatures(text: str) -> list[float]:
    """`0.5..1.0`, or one number."""
    found = _RANGE.fullmatch(text)
    if found is None and re.fullmatch(_NUMBER, text):
        return [float(text), float(text)]
    if found is None or float(found[1]) > float(found[2]):
        raise ArgumentTypeError(f"{text!r} is no range: write the lower and the higher one, as in 0.5..1.0")
    return [float(found[1]), float(found[2])]


def first_messages(text: str) -> dict[str, Any]:
    """`20%:1-3`: the share of conversations, and after how many messages they end."""
    found = _FIRST.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not of the form 20%:1-3: a share, and after how many messages it ends")
    return {"share": share(found[1] + found[2]), "low": int(found[3]), "high": int(found[4] or found[3])}


def share(text: str) -> float:
    """`30%` or `0.3`."""
    found = _SHARE.fullmatch(text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text!r} is no share: write for example 30% or 0.3")
    return value


def pace(text: str) -> float:
    """Words a minute."""
    if not re.fullmatch(_NUMBER, text) or float(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no speed in words a minute: write for example 250")
    return float(text)


def spread(text: str) -> dict[str, Any]:
    """Seconds by their distribution: `2s`, `1s..4s`, `lognormal:5s,2s`."""
    kind, colon, rest = text.partition(":")
    try:
        if colon and kind in SPREADS:
            mean, comma, sd = rest.partition(",")
            if kind == "exponential" and not comma:
                return {"kind": kind, "mean": values.duration(mean)}
            if kind != "exponential" and comma:
                return {"kind": kind, "mean": values.duration(mean), "sd": values.duration(sd)}
        elif not colon:
            low, dots, high = text.partition("..")
            if not dots:
                return {"mean": values.duration(text)}
            bounds = {"low": 0.0 if low in {"0", "0s"} else values.duration(low), "high": values.duration(high)}
            if bounds["low"] <= bounds["high"]:
                return {"kind": "uniform", **bounds}
    except ArgumentTypeError as exc:
        raise ArgumentTypeError(f"{exc} (of {text!r})") from exc
    raise ArgumentTypeError(f"{text!r} is no time or distribution: write {SPREAD_HELP}")
