"""What is wrong with a load, in one line for every door. Pure.

A field is called by its path, as in `load.users`: its name in the API and in a plan. The command line replaces it by
its option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from inputs.wording import known_fields, place_of, words_of

KINDS: Final = {"closed": "a closed loop", "open": "an open loop", "trace": "a trace"}
OF_KIND: Final = {
    "users": "closed",
    "start_jitter_s": "closed",
    "rate_per_s": "open",
    "arrivals": "open",
    "speed": "trace",
    "trace_unit": "trace",
}
"""Fields that only loads of this kind have."""
LIMITS: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


def load_problems(exc: ValueError, shape: Any = None) -> str:
    """Pydantic's findings on one line, without input values: a value may be a secret. `shape`: the validated type."""
    errors = getattr(exc, "errors", None)
    return str(exc) if errors is None else "; ".join(_line(error, shape) for error in errors())


def _line(error: Mapping[str, Any], shape: Any) -> str:
    kind, *path = error["loc"] if error["loc"] else ("",)
    where = place_of(("load", *path))
    what = words_of(error, shape)
    match error["type"]:
        case "value_error" if what.startswith("no ") or "load." in what:
            return what
        case "missing":
            return f"{where} is missing{_needed_by(where, error['input'], known_fields(shape, error['loc'][:-1]))}"
        case "extra_forbidden" if len(path) == 1 and (other := OF_KIND.get(path[0])):
            return f"{where} applies only to {KINDS[other]}, and this is {KINDS[kind]}: leave {where} out"
        case "union_tag_not_found":
            return "load.kind is missing: give closed, open or trace"
        case "union_tag_invalid":
            return "load.kind is unknown: give closed, open or trace"
    seconds = " s" if where.endswith("_s") and error["type"] in LIMITS and "per_s" not in where else ""
    return f"{where}: {what}{seconds}"


def _needed_by(where: str, given: Any, known: Sequence[str]) -> str:
    """The fields beside it that make no sense without it; of another that is not `known`, its own line says so."""
    beside = where.rpartition(".")[0]
    names = [name for name in given if name in known or not known] if isinstance(given, Mapping) else []
    if beside == "load" or not names:
        return ""
    return f": {', '.join(f'{beside}.{name}' for name in names)} {'need' if len(names) > 1 else 'needs'} it"
