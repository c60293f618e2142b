"""What is near to real data and is not: presets, recordings and stored rows with some of their values changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Final

from hypothesis import strategies as st

DOUBLING: Final = "|".join(["[@,@]"] * 24) + "|to_string(@)"
TEXTS: Final = (
    *("", " ", "\x00", "\r\nX: y", "a\nb", "\ud800", "\u202e", "é" * 9, "٣", "\\", "`", '"', "'", "<b>", "%00", "%"),
    *("x" * 10_000, "9" * 5000, "[" * 3000, "{" * 3000, '{"a":' * 900, "(" * 300 + ")" * 300, "NaN", "1e999", "-1"),
    *("{{ message }}", "{{ secret.api_key }}", "{{ secret.api_key | reverse }}", "{{ 9**9**9 }}", "{{ 'x' * 10**9 }}"),
    *("{{ params", "}}", "{{}}", "{{ saved.x.y.z }}", "{{ ([9**1000] * 4000000) | string }}", "{{ range(10**9) }}"),
    *("{% for a in range(10**6) %}x{% endfor %}", "{% include '/etc/passwd' %}", "{{ self }}", "{{ ''.__class__ }}"),
    *("/dev/zero", "/proc/self/environ", "../../etc/passwd", "file:///etc/passwd", "http://169.254.169.254/", "//h/p"),
    *("http://127.0.0.1:9/a b", "http://[::1", "grpc://h:99999", "CONNECT", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    *(DOUBLING, "a[?b<c]", "sort_by(a,&b)", "a.b[0].c", "@", "*", "a || b", "&a", "length(@)", "a[" + "9" * 400 + "]"),
    *("e2e_ms.p95<8", "error_rate<1%", "* * * * *", "0 0 29 2 1", "2026-02-30T25:61:61Z", "Europe/Nowhere", "1s", "5m"),
)
NUMBERS: Final = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, float("inf"), float("nan"))


def deep(levels: int) -> Any:
    """Made once: copying it is what takes long."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


OTHERS: Final[tuple[Any, ...]] = (
    *(None, True, False, [], {}, [[]], [None], {"": ""}, [{}], {"a": {"b": {"c": 1}}}, list(range(1000))),
    *(deep(60), deep(70), deep(600), ["x"] * 500, {str(n): n for n in range(300)}),
)
Path = tuple[Any, ...]


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """Of everything inside `value`, and its own."""
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*at, key))
    elif isinstance(value, list):
        for number in range(min(len(value), 8)):
            yield from places(value[number], (*at, number))


odd = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from(OTHERS).map(lambda value: json.loads(json.dumps(value))),  # changed in place later
    st.text(max_size=12),
)


class Seeds:
    """Values to change, with their places."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = [(value, list(places(value))) for value in values]

    def mutated(self, most: int = 3) -> st.SearchStrategy[Any]:
        return _mutated(self.values, most)


@st.composite
def _mutated(draw: st.DrawFn, seeds: list[tuple[Any, list[Path]]], most: int) -> Any:
    seed, found = seeds[draw(st.integers(0, len(seeds) - 1))]
    value = deepcopy(seed)
    for _ in range(draw(st.integers(0, most))):
        value = _changed(draw, value, found[draw(st.integers(0, len(found) - 1))])
    return value


def _changed(draw: st.DrawFn, value: Any, path: Path) -> Any:
    """`value` with another one at `path`; an earlier change may have taken that away."""
    if not path:
        return draw(odd) if draw(st.integers(0, 20)) == 0 else value
    *way, last = path
    holder = value
    try:
        for step in way:
            holder = holder[step]
        before = holder[last]
    except (LookupError, TypeError):
        return value
    if not isinstance(holder, dict | list):
        return value
    match draw(st.integers(0, 5)):
        case 0:
            del holder[last]
        case 1 if isinstance(before, str):
            holder[last] = _spliced(draw, before)
        case 2 if isinstance(holder, dict):
            holder[draw(st.one_of(st.sampled_from(TEXTS[:20]), st.text(max_size=8)))] = holder.pop(last)
        case 3:
            holder[last] = [before] if draw(st.booleans()) else {"a": before}
        case _:
            holder[last] = draw(odd)
    return value


def _spliced(draw: st.DrawFn, text: str) -> str:
    at, piece = draw(st.integers(0, len(text))), draw(st.sampled_from(TEXTS))
    return text[:at] + piece + text[at + draw(st.sampled_from([0, 0, 1, 3, 1000])) :]


def as_json(value: Any) -> bytes:
    """Also what is no JSON: NaN, and halves of surrogate pairs as escapes."""
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of a file or message, cut, repeated, or with other bytes in them."""
    data = draw(whole)
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + draw(st.binary(max_size=6)) + data[at + 1 :]
            case 2:
                data = data[:at] + draw(st.sampled_from(TEXTS)).encode("utf-8", "surrogatepass") + data[at:]
            case 3:
                data = data[at:] + data[:at]
            case _:
                data = data[: at // 2] * 3 + data[at:]
    return data
