"""Requests to the site: bodies of the API, forms of the admin, queries of both, uploads."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import got_request_exception
from django.db import transaction
from hypothesis import strategies as st

from tests.fuzz.kinds import Fault, Kind, rows
from tests.fuzz.kinds.scenarios import files, library_seeds
from tests.fuzz.kinds.targets import target_seeds
from tests.fuzz.mutations import TEXTS, Seeds, as_json, damaged, odd

Ask = tuple[str, str, Any, dict[str, Any]]
LOADS: Final[list[dict[str, Any]]] = [
    {"kind": "closed", "users": 4, "duration_s": 9.0, "stages": [], "user_profile": {"think": {"mean_s": 1}}},
    {"kind": "closed", "users": 4, "stages": [{"duration_s": 3, "to": 7}], "budget": {"turns": 9, "error_rate": None}},
    {"kind": "open", "rate_per_s": 2.0, "duration_s": 9.0, "arrivals": "poisson", "max_sessions": 5},
    {"kind": "trace", "arrivals_s": [0, 0.5, 1, 3], "speed": 2},
    {"kind": "trace", "timestamps": [1_715_299_200_000, 1_715_299_200_500], "trace_unit": "ms"},
    {"kind": "closed", "search": {"conditions": ["e2e_ms.p95<900"], "high": 60, "precision": 0.1}, "users": 5},
    {"kind": "open", "sweep": {"levels": [1, 2.5], "hold_s": 8}},
    {"kind": "closed", "users": 2, "conversations": 4, "user_profile": {"patience": {"after_s": 3, "then": "resend"}}},
]
PLAN: Final = {"name": "p", "target": "<target>", "scenarios": [{"scenario": "<scenario>", "weight": 1.0}]}
TIMINGS: Final[list[dict[str, Any]]] = [
    {"every": 15, "period": "minutes"},
    {"crontab": "0 8 * * 1-5", "timezone": "Europe/Vienna"},
    {"at": "2030-01-01T00:00:00Z"},
]
BODIES: Final[list[Ask]] = [
    *(("POST", "/api/targets/", seed, {}) for seed in target_seeds()),
    *(("PATCH", "/api/targets/<target>/", {"overrides": seed["overrides"]}, {}) for seed in target_seeds()[::3]),
    *(("POST", "/api/scenarios/", {"name": "x", "spec": spec}, {}) for spec in library_seeds()),
    *(("POST", "/api/plans/", {**PLAN, "load": load, "thresholds": ["error_rate<1%"]}, {}) for load in LOADS),
    *(("PATCH", "/api/plans/<plan>/", {"load": load, "regions": ["eu"], "processes": 2}, {}) for load in LOADS),
    *(("POST", "/api/schedules/", {"name": "s", "plan": "<plan>", "when": when}, {}) for when in TIMINGS),
    *(("PATCH", "/api/schedules/<schedule>/", {"when": when}, {}) for when in TIMINGS),
    ("POST", "/api/webhooks/", {"name": "w", "url": "http://127.0.0.1:9/", "plan": "<plan>", "events": ["failed"]}, {}),
    ("POST", "/api/runs/", {"plan": "<plan>", "seed": 4}, {}),
    ("POST", "/api/runs/<running>/load/", {"users": 5, "rate_per_s": None}, {}),
    ("POST", "/api/runs/<running>/stop/", {}, {}),
    ("POST", "/api/targets/<target>/probe/", {"message": "Hello", "lane": "wire"}, {}),
]
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "get", "")
PAGES: Final = (
    *("/", "/workers/", "/admin/", "/api/health/", "/api/schema/?format=json", "/api/runs/<run>/turns/"),
    *("/runs/<run>/report/", "/runs/<run>/live/", "/runs/<run>/series/", "/runs/<run>/turns.csv"),
    *("/runs/<run>/turns.json", "/runs/<run>/users.csv", "/runs/<run>/conversations.csv", "/runs/<run>/report.json"),
    *("/runs/<run>/junit.xml", "/runs/<run>/summary.md", "/api/runs/<run>/users/", "/api/runs/<run>/conversations/"),
)
PARAMS: Final = (
    *("page", "page_size", "q", "o", "p", "status", "status__exact", "plan", "plan__id__exact", "e", "_popup", "all"),
    *("code", "outcome", "since", "until", "ordering", "format", "search", "cursor", "group", "user", "last", "from"),
    *("created_at__gte", "created_at__date", "started_at__range", "id__in", "target__secrets", "password__startswith"),
)
DEPTH: Final = 20
"""Placeholders stand no deeper."""
_ERRORS: list[str] = []


def _note(*_: Any, **__: Any) -> None:
    _ERRORS.append(traceback.format_exc(limit=-4))


got_request_exception.connect(_note)


def _whole(value: Any, depth: int = 0) -> Any:
    """`<plan>` becomes the id of the row."""
    if depth > DEPTH:
        return value
    if isinstance(value, str):
        if value[:1] == "<" and value[1:-1] in rows.rows().ids:
            return rows.rows().ids[value[1:-1]]
        for name, pk in rows.rows().ids.items():
            value = value.replace(f"<{name}>", str(pk))
        return value
    if isinstance(value, dict):
        return {key: _whole(one, depth + 1) for key, one in value.items()}
    return [_whole(one, depth + 1) for one in value] if isinstance(value, list) else value


def _answered(ask: Callable[[], Any]) -> Any:
    """The answer of a request whose changes are undone. Raises Fault for an error of the server."""
    _ERRORS.clear()
    with transaction.atomic():
        answer = ask()
        if answer.status_code >= 500 and answer.status_code != 503:
            raise Fault(f"{answer.status_code}: {' '.join(_ERRORS)}")
        location = answer.headers.get("Location", "")
        if answer.status_code == 201 and "/api/" in location:
            _shown(location.partition("testserver")[2])
        transaction.set_rollback(True)
    if answer.streaming:
        b"".join(answer)
    return answer


def _shown(address: str) -> None:
    """What was stored can be read again, by the API and in the admin."""
    kind, pk = address.rstrip("/").rsplit("/", 2)[1:]
    pages = {"targets": "targets/target", "scenarios": "scenarios/scenario", "plans": "runs/testplan",
             "schedules": "runs/planschedule", "webhooks": "runs/webhook", "runs": "runs/run"}  # fmt: skip
    for path in (address, f"/api/{kind}/", *([f"/admin/{pages[kind]}/{pk}/change/"] if kind in pages else [])):
        if rows.browser().get(path).status_code >= 500:
            raise Fault(f"stored, and GET {path} fails: {' '.join(_ERRORS)}")


def take_body(given: tuple[Ask, bytes | None]) -> str:
    (method, path, body, query), raw = given
    data = as_json(_whole(body)) if raw is None else raw
    address = _whole(path)
    for name in {part for part in address.split("/") if part.startswith("{")}:
        ids = rows.rows().ids
        address = address.replace(name, str(ids.get(address.split("/")[2].rstrip("s"), 1)))
    if not address.startswith("/"):
        address = f"/{address}"

    def ask() -> Any:
        kind: Any = {"content_type": "application/json", "QUERY_STRING": _query(query)}
        return rows.api().generic(method, address, data, **kind)  # type: ignore[arg-type]  # it takes bytes, too

    return str(_answered(ask).status_code)


def _query(query: dict[str, Any]) -> str:
    return "&".join(f"{quote(str(k), errors='replace')}={quote(str(v), errors='replace')}" for k, v in query.items())


def _bodies() -> st.SearchStrategy[tuple[Ask, bytes | None]]:
    return st.one_of(_asks(BODIES), _asks(_operations()))


def _asks(asks: list[Ask]) -> st.SearchStrategy[tuple[Ask, bytes | None]]:
    bodies = [Seeds([ask[2]]).mutated(4) if ask[2] is not None else st.one_of(st.none(), odd) for ask in asks]
    return _asked(asks, bodies)


@st.composite
def _asked(draw: st.DrawFn, asks: list[Ask], bodies: list[st.SearchStrategy[Any]]) -> tuple[Ask, bytes | None]:
    number = draw(st.integers(0, len(asks) - 1))
    method, path, _, query = asks[number]
    body = draw(bodies[number])
    match draw(st.integers(0, 30)):
        case 0:
            method = draw(st.sampled_from(METHODS[:9]))
        case 1:
            path = path.replace("1", draw(st.sampled_from(["٣", "1.5", "-1", "9" * 30, "%0A", "a b", "%ff"])))
        case 2:
            query = {**query, draw(st.sampled_from(PARAMS)): draw(st.sampled_from(TEXTS))}
    raw = draw(damaged(st.just(as_json(body)))) if draw(st.integers(0, 12)) == 0 else None
    return (method, path, body, query), raw


def _operations() -> list[Ask]:
    if not _TOLD:
        _TOLD.extend(rows.operations())
    return _TOLD


_TOLD: list[Ask] = []


def take_query(given: tuple[str, list[tuple[str, str]]]) -> str:
    path, query = given
    address, _, fixed = _whole(path).partition("?")
    more = "&".join([fixed, *(_query({name: value}) for name, value in query)])
    return str(_answered(lambda: rows.browser().get(address, QUERY_STRING=more)).status_code)


def _queries() -> st.SearchStrategy[tuple[str, list[tuple[str, str]]]]:
    pages = [*PAGES, *_changelists(), *(path for method, path, _, _ in BODIES if method == "PATCH")]
    usual = st.sampled_from(["1", "0", "-1", "9" * 30, "completed", "all"])
    value = st.one_of(st.sampled_from(TEXTS), usual, st.text(max_size=12))
    pair = st.tuples(st.sampled_from([*PARAMS, *(name for *_, query in _operations() for name in query)]), value)
    return st.tuples(st.sampled_from(pages), st.lists(pair, max_size=4))


def _changelists() -> list[str]:
    return rows.changelists()


def take_form(given: tuple[str, dict[str, Any]]) -> str:
    """`given`: an address, and the fields that differ from the form as the site made it."""
    number, changed = given
    known = _forms()
    address = sorted(known)[int(number) % len(known)]
    sent = {**known[address]}
    for place, value in changed.items():
        names = sorted(sent) or ["name"]
        name = names[int(place) % len(names)] if place.isdecimal() else place
        if value is None:
            sent.pop(name, None)
        else:
            sent[name] = value
    return str(_answered(lambda: rows.browser().post(address, sent)).status_code)


def _forms() -> dict[str, dict[str, str]]:
    if not _SEEN:
        _SEEN.update(rows.forms())
    return _SEEN


_SEEN: dict[str, dict[str, str]] = {}


def _form_inputs() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    documents = [*LOADS, *library_seeds(), *(seed["overrides"] for seed in target_seeds())]
    text = st.one_of(
        st.sampled_from(TEXTS).map(_plain),
        Seeds(documents).mutated().map(lambda value: as_json(value).decode()),
        st.sampled_from(["1", "0", "-1", "9" * 30, "on", "2030-01-01", "minutes"]),
        st.none(),
    )
    named = st.sampled_from(["mix-TOTAL_FORMS", "mix-0-weight", "_save", "name"])
    place = st.one_of(st.integers(0, 60).map(str), named)
    return st.tuples(st.integers(0, 500).map(str), st.dictionaries(place, text, min_size=1, max_size=4))


def _plain(text: str) -> str:
    """A browser sends UTF-8."""
    return text.encode("utf-8", "replace").decode()


def take_upload(given: tuple[str, bytes, bool]) -> str:
    name, data, as_data = given
    fields: dict[str, Any] = {"file": SimpleUploadedFile(name or "x", data)}
    if as_data:
        fields |= {"scenario": rows.rows().scenario.pk, "pool": "p", "use": "random", "limit": "5"}
    if len(data) % 2:
        return str(_answered(lambda: rows.browser().post("/admin/scenarios/scenario/import/", fields)).status_code)
    return str(_answered(lambda: rows.api().post("/api/scenarios/import/", fields, format="multipart")).status_code)


logging.getLogger("django.request").setLevel(logging.CRITICAL)
KINDS: Final = [
    Kind("API bodies", 16, _bodies, take_body),
    Kind("queries", 4, _queries, take_query),
    Kind("admin forms", 8, _form_inputs, take_form),
    Kind("uploads", 4, files, take_upload),
]
