"""Advice for the failure that ended a `burn`, in terms of its options; otherwise that of `metrics.report.advice`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.mapping.unset import CLOCK, named_secrets
from metrics.report.advice import advice as metrics_advice
from metrics.report_schema import RunReport

_ENGINE_ADVICE = re.compile(
    r"[:;] (?:add|begin|check|compare|correct|give|if|leave|log|look|lower|only|point|raise|remove|run|set|start|"
    r"switch|turn|use) "
)

OF_CREDENTIALS = frozenset({"http_401", "http_403"})
BY_CODE = {
    "http_404": "check --url, the base address as the vendor's SDK takes it (often ending in /v1), and --model",
    "http_405": "check --url and --preset: the address does not accept this method",
    "http_422": "check --preset and --param: the target does not accept the format of the request",
    "http_400": "check --preset, --model and --param: the target does not accept the request",
    "http_429": "the target limits the request rate: lower --users or --rate",
    "answer_unmatched": "check --preset and --stream: the answer has no text where the preset looks for it",
    "json_invalid": "check --url, --preset and --stream: the answer is not JSON (plain text: response.format)",
    "stream_incomplete": "check --stream: the answer ended before the end marker of the preset",
    "request_invalid": "check --param and the scenario's templates",
}


def advice(code: str, target: Mapping[str, Any], *, stored: bool) -> str:
    """What to do about `code`; `target` is the run's frozen spec."""
    if code in OF_CREDENTIALS:
        return _credentials(target, stored)
    return BY_CODE.get(code) or metrics_advice(code)


def _credentials(target: Mapping[str, Any], stored: bool) -> str:
    if stored:
        return f"check the secrets of the target {target.get('name')!r} in the admin"
    names = named_secrets(target)
    if not names:
        return "the preset sends no credentials: use another one, or a stored target"
    variables = " and ".join(f"TOKENBURN_SECRET_{name.upper()}" for name in names)
    return f"set {variables} in the environment to what the target accepts"


def failure(reason: str, report: RunReport | None, target: Mapping[str, Any], *, stored: bool) -> str:
    """The run's reason with advice, unless the reason already contains it."""
    errors = report.get("errors", {}) if report else {}
    named = [code for code in errors if re.search(rf"\b{re.escape(code)}\b", reason)]
    code = max(named, key=lambda name: errors[name], default="")
    if _ENGINE_ADVICE.search(reason) and (
        code not in OF_CREDENTIALS or "TOKENBURN_SECRET_" in reason or CLOCK in reason
    ):
        return reason
    what = advice(code, target, stored=stored)
    return f"{reason}; {what}" if what else reason
