"""Presets are specs as data files; a target lays its own settings over one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from bounds.templates import LimitError, size_of
from connectors.spec.base import SpecError
from connectors.spec.response import PATHS, Condition
from connectors.spec.target import TargetSpec, parse_target_spec
from inputs.json_limits import json_problem, text_problem
from inputs.wording import nearest

MAX_SIZE: Final = 4_000_000
"""Characters plus values of params, and of overrides: they are merged and compiled whenever a target is checked."""
ABOUT: Final = ("title", "doc", "about")
"""What a preset says to people."""
CONDITIONS: Final = frozenset({"done", "until", "ready"})
"""Keys at which a condition stands."""
PRESET_DIR = Path(__file__).parents[1] / "presets"


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in PRESET_DIR.glob("*.json"))


@cache
def _preset_text(name: str) -> str:
    if name not in preset_names():
        known = preset_names()
        text = f"unknown preset {name[:80]!r}: choose one of {', '.join(known)}{nearest(name[:80], known)}"
        raise SpecError(text, {"preset": text})
    return (PRESET_DIR / f"{name}.json").read_text(encoding="utf-8")


def load_preset(name: str) -> dict[str, Any]:
    """A fresh copy of the preset's data, merged over that of the preset that it `extends`. Raises SpecError with the
    known names for an unknown one."""
    data: dict[str, Any] = json.loads(_preset_text(name))
    base = data.pop("extends", None)
    return data if base is None else merge(load_preset(base), data)


def preset_base(name: str) -> str | None:
    """The preset that it `extends`."""
    base: str | None = json.loads(_preset_text(name)).get("extends")
    return base


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` merged into it: objects key by key, everything else replaced, as are conditions; null removes
    a key."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and key in merged:
            del merged[key]
            continue
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not _is_condition(key, value):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def _is_condition(key: str, value: Mapping[str, Any]) -> bool:
    return key in CONDITIONS and bool(value) and value.keys() <= Condition.model_fields.keys()


def _stale_rules(response: Mapping[str, Any], overrides: Mapping[str, Any]) -> set[str]:
    """Rules of a preset that were written for other answers than the target's: it says that they are of another format,
    or which kinds of frames they have."""
    given = overrides.get("response")
    given = given if isinstance(given, Mapping) else {}
    text_pieces = overrides.get("protocol") == "text"
    kind = given.get("format", "text" if text_pieces else None)
    in_lines = given.get("line") is not None and "line" not in response
    if in_lines or (kind is not None and kind != response.get("format", "json")):
        done = response.get("done")
        ends = done if isinstance(done, list) else [done]
        in_clear = all(isinstance(end, Mapping) and "data" in end for end in ends) and not text_pieces
        return response.keys() - {"expect_text", "known_errors", "quiet_ms", *(["done"] if in_clear else [])}
    if "kinds" not in response and given.get("kinds"):
        return {*PATHS, "calls", "usage", "save"}
    return {"kind"} if "kinds" in given and given["kinds"] is None else set()


def _overridden(data: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's data with what the target changes in it."""
    response, given = data.get("response", {}), overrides.get("response")
    if stale := _stale_rules(response, overrides):
        data = {**data, "response": {key: value for key, value in response.items() if key not in stale}}
        if isinstance(given, Mapping):
            given = {key: value for key, value in given.items() if value is not None or key not in stale}
            overrides = {**overrides, "response": given}
    return merge(data, overrides)


def _check_size(field: str, given: Any) -> None:
    try:
        size_of(given, MAX_SIZE)
    except LimitError as exc:
        raise SpecError(f"{field}: {exc}", {field: str(exc)}) from exc


def build_target_spec(  # noqa: PLR0913  a stored target, field by field
    *,
    name: str,
    url: str,
    preset: str,
    stream: bool = False,
    params: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    secret_origins: Sequence[str] | None = None,
    stamp: str | None = None,
) -> TargetSpec:
    """Merge a target's own settings over its preset. A preset is a TargetSpec's data plus `title`, `doc`, `about` (see
    `connectors.preset_info`), and `stream`: the differences when answers are streamed. Raises SpecError naming the
    wrong field."""
    for field, text in (("name", name), ("url", url), ("secrets", secrets)):
        if problem := text_problem(text, field):
            raise SpecError(problem, {field: problem})
    for field, given in (("params", params), ("overrides", overrides)):
        if problem := json_problem(given):
            raise SpecError(f"{field} {problem}", {field: problem})
        _check_size(field, given)
    data = load_preset(preset)
    for about in ABOUT:
        data.pop(about, None)
    streamed: Literal[None] | dict[str, Any] = data.pop("stream", None)
    if stream:
        if streamed is None:
            text = f"preset {preset!r} has no streamed form: leave --stream out"
            raise SpecError(text, {"stream": text})
        data = merge(data, streamed)
    if "secret_origins" in (overrides or {}):
        text = "secret_origins cannot be set here: they belong to the secrets"
        raise SpecError(f"overrides: {text}", {"overrides": text})
    data = _overridden(data, overrides or {})
    data = merge(data, {"name": name, "url": url, "params": dict(params or {}), "secrets": dict(secrets or {})})
    data["secret_origins"] = secret_origins
    if stamp:
        data = merge(data, {"response": {"stamp": stamp}})
    return parse_target_spec(data)
