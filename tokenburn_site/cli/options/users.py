"""Options of `burn`: simulated users."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from metrics.earlier_names import warn_renamed
from runs.load.users import excluded
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import Group, of_load
from tokenburn_site.cli.options.values import SHARE, Syntax

ALL: Final = "all"
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"{_NUMBER}(?:\.\.{_NUMBER})?")
_FIRST = re.compile(rf"{_NUMBER}(%?):(\d{{1,6}})(?:-(\d{{1,6}}))?")
SPREADS: Final = ("normal", "lognormal", "exponential")
SPREAD_HELP: Final = "2s, 1s..4s, exponential:5s, normal:5s,2s or lognormal:5s,2s (mean, spread)"


def models(text: str) -> str | list[str]:
    """Names of models, or "all"."""
    names = [name.strip() for name in text.split(",")]
    if names == [ALL]:
        return ALL
    if not all(names) or len(set(names)) < len(names):
        raise ArgumentTypeError(f"{text!r} is not a list of models: write each once, as in small,large, or {ALL}")
    return names


def exclusion_file(text: str) -> list[str]:
    """The patterns of that file."""
    try:
        return list(excluded(Path(text).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as exc:
        raise ArgumentTypeError(f"{text}: {getattr(exc, 'strerror', None) or 'it is not UTF-8 text'}") from exc


def temperatures(text: str) -> list[float]:
    """`0.5..1.0`, or one number."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a range: write the lower and the higher bound, as in 0.5..1.0")
    return [float(found[1]), float(found[2] or found[1])]


def first_messages(text: str) -> dict[str, Any]:
    """`20%:1-3`: the share of conversations, and after how many messages they end."""
    found = _FIRST.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not of the form 20%:1-3: a share, and after how many messages it ends")
    return {"share": values.share(found[1] + found[2]), "low": int(found[3]), "high": int(found[4] or found[3])}


def impatient(text: str) -> str:
    """What a user does on timeout; `double` is the earlier name of `hedge`."""
    if text == "double":
        warn_renamed("--impatient double", "--impatient hedge")
        return "hedge"
    return text


def pace(text: str) -> float:
    """Words a minute."""
    if not re.fullmatch(_NUMBER, text) or float(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a speed in words per minute: write for example 250")
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
            bounds = {"low": values.pause(low), "high": values.duration(high)}
            if bounds["low"] <= bounds["high"]:
                return {"kind": "uniform", **bounds}
    except ArgumentTypeError as exc:
        said = str(exc)
        raise ArgumentTypeError(said if repr(text) in said else f"{said} (of {text!r})") from exc
    raise ArgumentTypeError(f"{text!r} is not a time or distribution: write {SPREAD_HELP}")


PACE: Final = Syntax(pace, "N")
SPREAD: Final = Syntax(spread, "T")


class UserOptions(Group):
    title = "simulated users (drawn for each conversation from the seed)"

    models = of_load(
        "user_profile.models",
        Syntax(models, "A,B|all"),
        "; all: those that the target lists",
        also=("user_profile.models_from_target",),
    )
    exclude_models = of_load(
        "user_profile.exclude", Syntax(exclusion_file, "FILE"), ": one pattern per line, # comments"
    )
    temperature = of_load("user_profile.temperature", Syntax(temperatures, "A..B"), ": 0.5..1.0")
    first_messages = of_load(
        "user_profile.first_messages", Syntax(first_messages, "S:A-B"), ": 20%:1-3 after 1 to 3 messages"
    )
    conversations_per_user = of_load("user_profile.conversations_per_user", earlier={"--at-once": values.positive})
    think = of_load("user_profile.think.pause_s", SPREAD, f": {SPREAD_HELP}")
    reading_wpm = of_load("user_profile.think.reading_wpm", PACE)
    typing_wpm = of_load("user_profile.think.typing_wpm", PACE)
    think_max = of_load("user_profile.think.max_s", default=True)
    patience = of_load("user_profile.patience.within_s", SPREAD, "; same format as --think")
    patience_until = of_load("user_profile.patience.until")
    impatient = of_load("user_profile.patience.then", Syntax(impatient, None))
    impatient_share = of_load("user_profile.patience.share", SHARE, ": 30%; default: all")
    resends = of_load("user_profile.patience.times", default=True)


def arrange(given: Mapping[str, Any], load: dict[str, Any]) -> None:
    """Complete the load's `user_profile`. Raises BadUsage."""
    if given["models"] is not None and given["model"] is not None:
        raise BadUsage("give --model or --models, not both")
    if given["temperature"] is not None and any(name == "temperature" for name, _ in given["params"] or ()):
        raise BadUsage("give --temperature or --param temperature=, not both")
    if given["think_max"] is not None and not any(given[name] for name in ("think", "reading_wpm", "typing_wpm")):
        raise BadUsage("--think-max limits a pause: give --think, --reading-wpm or --typing-wpm")
    if given["resends"] is not None and given["impatient"] != "resend":
        raise BadUsage("--resends applies only to --impatient resend")
    if given["models"] == ALL:
        del load["user_profile"]["models"]
        load["user_profile"]["models_from_target"] = True
