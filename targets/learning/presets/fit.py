"""How well a preset fits a recorded exchange: its path, the keys of its body, and what it reads in the answer."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.preset_info import PresetInfo, preset_infos
from connectors.spec import POSTED, SpecError, TargetSpec, build_target_spec, preset_base, preset_names
from connectors.template_text import blanked, expressions_in, is_one_expression
from targets.learning.presets.said import message_in, params_in
from targets.learning.proposal import Reading
from targets.learning.recorded.exchange import CLOSE, OPEN, Answer, Exchange, leaves
from targets.learning.replay import replay
from targets.learning.text_like import is_date

FRAMES: Final = {
    **dict.fromkeys(("http", "sse", "ndjson", "aws-eventstream"), False),
    **dict.fromkeys(("websocket", "socketio"), True),
}
ANSWERS: Final[dict[str, set[str]]] = {
    "http": {"json"},
    "sse": {"sse", "json"},
    "ndjson": {"ndjson"},
    "aws-eventstream": set(),  # whose binary messages recordings do not show
    "websocket": {"frames"},
    "socketio": {"frames"},
}
LEAST: Final = 2.5
LIMIT_S: Final = 10.0
"""Of all comparisons: each reads the whole answer."""
FEWEST: Final = 3
"""Keys of a body that a preset has to share where it has no path of its own."""
_PARAM: Final = re.compile(r"\s*params\.(\w+)\s*(?:\|\s*default\([\w.\[\]]*\)\s*)?")
_USED: Final = re.compile(r"\bparams\.(\w+)")
_SECRET: Final = re.compile(r"\bsecret\.(\w+)")
_SAYS: Final = re.compile(r"\b(?:message|messages|history)\b")
_MARK: Final = re.compile(f"{OPEN}([^{CLOSE}]+){CLOSE}")
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1", "host", "name.openai.azure.com"}


@dataclass
class Fit:
    """`secrets`: names of the preset's by those that were found. `unknown`: parts of the body that the preset lacks."""

    info: PresetInfo
    stream: bool
    exchange: Exchange
    base: str = ""
    score: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    known: int = 0
    unknown: dict[tuple[str, ...], Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    says: bool = False
    message: str = ""
    """What stands where the preset has the message alone."""
    left: set[str] = field(default_factory=set)
    """Params on which it depends where the message stands."""
    conflict: bool = False
    reading: Reading | None = None


def best_fit(exchanges: list[Exchange]) -> Fit | None:
    """The preset that explains one of the exchanges best; of equal ones the last exchange."""
    found: list[Fit] = []
    due_s = time.thread_time() + LIMIT_S
    for exchange in reversed(exchanges):
        if time.thread_time() > due_s:
            break
        found += _fits(exchange)
    if not found:
        return None
    order = {id(exchange): number for number, exchange in enumerate(exchanges)}
    return max(found, key=lambda f: (f.score, order[id(f.exchange)], -len(f.info.params)))


@cache
def _bases() -> frozenset[str | None]:
    """Presets that others extend: of several with the same request they claim least."""
    return frozenset(map(preset_base, preset_names()))


def _fits(exchange: Exchange) -> Iterator[Fit]:
    if exchange.method == "GET" and not exchange.frames:
        return
    for info in preset_infos():
        if info.name.startswith("generic-"):
            continue
        for stream in (False, True) if info.streamed else (False,):
            fit = _fit(info, _spec(info.name, stream), stream, exchange)
            if fit is not None and fit.score >= LEAST:
                yield fit


@cache
def _spec(name: str, stream: bool) -> TargetSpec:
    return build_target_spec(name=name, url="http://127.0.0.1", preset=name, stream=stream)


def _fit(info: PresetInfo, spec: TargetSpec, stream: bool, exchange: Exchange) -> Fit | None:
    protocol = "http" if spec.protocol in POSTED else spec.protocol
    answer = exchange.answer if spec.protocol not in POSTED and not spec.then else None
    if protocol not in FRAMES or FRAMES[protocol] != bool(exchange.frames):
        return None
    if answer is not None and answer.fine and answer.kind not in ANSWERS[protocol]:
        return None
    fit = Fit(info, stream, exchange)
    placed = _of_event(fit, spec) if protocol == "socketio" else _of_path(fit, spec.request.path)
    if (spec.websocket.separator or "") != exchange.separator or ("stomp" in info.name) is (exchange.stomp is None):
        return None
    if not placed or not isinstance(exchange.body, dict) or (exchange.socketio is None) is (protocol == "socketio"):
        return None
    _compare(fit, spec.request.body, exchange.body, ())
    if fit.conflict or not fit.says or (not spec.request.path and not exchange.event and fit.known < FEWEST):
        return None
    _of_headers(fit, spec)
    fit.score += _shape_score(fit, spec)
    if answer is None or not answer.fine:
        return fit
    fit.score -= 1.0 if protocol == "sse" and answer.kind == "json" else 0.0
    fit.reading = _read(spec, {**info.needs, **spec.params, **fit.params}, answer)
    fit.score += 10
    if fit.reading.cut_off:
        fit.score -= 3
        return fit
    return fit if not fit.reading.error else None


def _read(spec: TargetSpec, params: Mapping[str, Any], answer: Answer) -> Reading:
    try:
        return replay(spec.model_copy(update={"params": dict(params)}), answer)
    except (SpecError, ValueError) as exc:
        return Reading("", error=str(exc))


def _of_path(fit: Fit, template: str) -> bool:
    """Whether the address ends with the preset's path. What stands before it is the base address."""
    if not template:
        return _of_whole_address(fit)
    path, _, query = _split_query(template)
    found = re.compile(rf"(.*?){_pattern(path)}/?", re.DOTALL).fullmatch(fit.exchange.parts.path)
    if found is None:
        return False
    parts = fit.exchange.parts
    fit.base = f"{parts.scheme}://{parts.netloc}{found[1]}"
    for expression, value in zip(expressions_in(path), found.groups()[1:], strict=True):
        _take_param(fit, expression[1], unquote(value))
    fit.score += 0.2 * sum(len(piece) for piece in _literals(path))
    asked = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=1000))
    for name, value in (pair.partition("=")[::2] for pair in query.split("&") if query):
        if name not in asked:
            return False
        inner = next(expressions_in(value), None)
        if inner is not None:
            _take_param(fit, inner[1], asked[name])
        elif asked[name] != value:
            return False
        fit.score += 1
    return True


def _of_event(fit: Fit, spec: TargetSpec) -> bool:
    """Whether a Socket.IO server has the preset's path and namespace, and got its event."""
    given = fit.exchange.socketio or {}
    fit.base = fit.exchange.url
    fit.score += 3
    same = given.get("path", "").rstrip("/") == spec.socketio.path.rstrip("/")
    return same and given["namespace"] == spec.socketio.namespace and fit.exchange.event == spec.request.event


def _of_whole_address(fit: Fit) -> bool:
    """The preset adds nothing to its base address: its body has to speak for it."""
    fit.base = fit.exchange.url
    fit.score -= 1
    return not fit.exchange.parts.query


def _split_query(template: str) -> tuple[str, str, str]:
    """An expression may hold a question mark too."""
    blank = template
    for found in expressions_in(template):
        blank = blank.replace(found[0], "x" * len(found[0]))
    cut = blank.find("?")
    return (template, "", "") if cut < 0 else (template[:cut], "?", template[cut + 1 :])


def _literals(path: str) -> list[str]:
    pieces, at = [], 0
    for found in expressions_in(path):
        pieces.append(path[at : found.start()])
        at = found.end()
    return [*pieces, path[at:]]


def _pattern(path: str) -> str:
    return r"([^/]+)".join(map(re.escape, _literals(path)))


def _take_param(fit: Fit, expression: str, value: Any) -> None:
    found = _PARAM.fullmatch(expression)
    if found and fit.info.params.get(found[1]) != value:
        fit.params[found[1]] = value


def _compare(fit: Fit, template: Any, given: Any, path: tuple[str, ...]) -> None:
    """Walk the preset's body and the recorded one side by side."""
    if isinstance(template, dict) and isinstance(given, dict):
        for key in template.keys() | given.keys():
            if key not in template:
                fit.unknown[(*path, key)] = given[key]
            elif key not in given:
                _missing(fit, template[key], (*path, key))
            else:
                _compare(fit, template[key], given[key], (*path, key))
    elif isinstance(template, str) and (inner := next(expressions_in(template), None)):
        _rendered(fit, inner[1], given, is_whole=is_one_expression(template))
    elif isinstance(template, list) and isinstance(given, list) and len(template) == len(given):
        for number, (inner, item) in enumerate(zip(template, given, strict=True)):
            _compare(fit, inner, item, (*path, str(number)))
    elif isinstance(template, list) and isinstance(given, list) and "{{" in str(template):
        fit.known += 1
        fit.says = fit.says or any(isinstance(v, str) and "{{" in v and _SAYS.search(v) for _, v in leaves(template))
    elif template in (given, [given]) or (is_date(template) and is_date(given)):
        fit.known += 1
    else:
        fit.conflict = True


def _rendered(fit: Fit, expression: str, given: Any, *, is_whole: bool) -> None:
    """`given` stands where the preset has an expression."""
    fit.known += 1
    if not _SAYS.search(expression):
        if is_whole:
            _take_param(fit, expression, given)
        return
    fit.says = True
    fit.left |= set(_USED.findall(expression))
    fit.conflict = fit.conflict or not _may_be(expression, given)
    fit.message = message_in(expression, given) or fit.message
    for name, value in params_in(expression, given).items():
        fit.left.discard(name)
        if fit.info.params.get(name) != value:
            fit.params[name] = value


def _missing(fit: Fit, template: Any, path: tuple[str, ...]) -> None:
    """A key that the preset sends and the recorded request lacks."""
    inner = next(expressions_in(template), None) if isinstance(template, str) else None
    param = _PARAM.fullmatch(inner[1]) if inner else None
    optional = param is not None and fit.info.params.get(param[1]) is None
    off = template is False or (inner is not None and param is None and not _SAYS.search(inner[1]))
    if not optional and not off:
        fit.missing.append(".".join(path))


def _may_be(expression: str, given: Any) -> bool:
    """Whether a recorded value can be what the expression makes."""
    bare = expression.strip()
    if bare == "message":
        return isinstance(given, str)
    if bare in {"messages", "history"}:
        items = given if isinstance(given, list) else []
        return bool(items) and all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in items)
    if "shaped" in bare and "join" not in bare and "first" not in bare:
        return isinstance(given, list)
    return True


def _of_headers(fit: Fit, spec: TargetSpec) -> None:
    for name, template in spec.request.headers.items():
        given = fit.exchange.header(name.lower())
        if not given:
            continue
        fit.score += 0.5
        secret, mark = _SECRET.search(template), _MARK.search(given)
        if secret and mark and blanked(template).split() == _MARK.sub("", given).split():
            fit.secrets[mark[1]] = secret[1]


def _shape_score(fit: Fit, spec: TargetSpec) -> float:
    share = fit.known / (fit.known + len(fit.unknown))
    score = 3 * share - 0.2 * len(fit.missing) - 0.3 * len(fit.unknown)
    score += 0.3 if fit.info.name in _bases() else 0.0
    host = urlsplit(fit.info.about.address).hostname or ""
    if host.lower() not in _LOOPBACK and fit.exchange.parts.hostname == host:
        score += 6
    return score
