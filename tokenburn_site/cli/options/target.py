"""Options of `burn` and `probe`: the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.spec import merge, preset_names
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import Group, Option, own


@dataclass(frozen=True, kw_only=True)
class TargetOptions(Group):
    title = "the chatbot"

    url: str | None = own("base address as the vendor's own SDK takes it: http://host:8000/v1")
    preset: str | None = own("API dialect, such as openai-chat: see probe --presets", metavar="NAME")
    target: str | None = own("a stored target, instead of --url and --preset", metavar="NAME")
    target_file: Mapping[str, Any] | None = own(
        "a target as JSON, as probe --learn writes it, instead of --url and --preset", values.target_file, "FILE"
    )
    stream: bool = own("request a streamed answer", action="store_true")
    model = Option("short for --param model=M", {"metavar": "M"})
    params: Mapping[str, Any] = own(
        "set a parameter of the request, JSON or text; repeatable: --param max_tokens=64",
        values.param,
        "K=V",
        flag="--param",
        action="append",
        start=dict,
    )
    overrides: Mapping[str, Any] = own(
        "JSON to merge into the preset or target, key by key: timeouts, request, response, ...",
        values.overrides,
        "FILE",
        start=dict,
    )
    proxy: str | None = own(
        "connect through this proxy (http, socks5, socks5h); env: the one in HTTP_PROXY, HTTPS_PROXY", metavar="URL|env"
    )
    stamp: str | None = own("path of the send time in each chunk (monotonic ns, same host only)", metavar="PATH")


def with_target_file(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, with those of --target-file in the places of what is not given. Raises BadUsage."""
    file = given.get("target_file")
    if file is None:
        return given
    if given["target"] is not None or given["preset"] is not None:
        raise BadUsage("--target-file replaces --target and --preset: give one of them")
    named = {key for key, _ in given["params"] or ()} | ({"model"} if given["model"] is not None else set())
    params = [(key, value) for key, value in file.get("params", {}).items() if key not in named]
    return {
        **given,
        "preset": file["preset"],
        "url": given["url"] or file.get("url"),
        "stream": given["stream"] or file.get("stream", False),
        "params": [*params, *(given["params"] or ())],
        "overrides": merge(file.get("overrides", {}), given["overrides"] or {}),
    }


def check_target(given: Mapping[str, Any], command: str = "burn") -> None:
    hint = f"see {command} --help"
    if given["target"] is not None:
        if given["url"] is not None or given["preset"] is not None:
            raise BadUsage(f"--target replaces --url and --preset: give one or the other; {hint}")
    elif given["url"] is None and given["preset"] is None:
        raise BadUsage(f"no target: give --url URL --preset NAME, or --target NAME; {hint}")
    elif given["url"] is None:
        raise BadUsage(f"--preset needs an address: add --url URL; {hint}")
    elif given["preset"] is None:
        raise BadUsage(f"--url needs an API dialect: add --preset with one of {', '.join(preset_names())}")


def all_params(given: Mapping[str, Any], output: int | None = None) -> dict[str, Any]:
    """--param and --model, and `output` tokens at most. Raises BadUsage for one that is given twice."""
    params: dict[str, Any] = {}
    pairs = list(given["params"] or ())
    if given["model"] is not None:
        pairs.append(("model", given["model"]))
    if output is not None:
        pairs.append(("max_tokens", output))
    for key, value in pairs:
        if key in params:
            raise BadUsage(f"the parameter {key!r} is given twice: leave one out")
        params[key] = value
    return params
