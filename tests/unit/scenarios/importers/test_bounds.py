"""A file is read no further than a scenario can hold, whatever its format: it may be as large as a disk."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.importers import Sample, Source, Wanted, import_scenarios, read_pool, trace_pool


class Endless(io.RawIOBase):
    """A file of one part over and over; `read_bytes` counts what was taken of it."""

    def __init__(self, head: str, part: str) -> None:
        self._head, self._part = head.encode(), part.encode()
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        data = head + self._part * max(1, size // len(self._part))
        self.read_bytes += len(data)
        assert self.read_bytes < 200_000_000, "it is read to its end"
        return data


LARGE = "x" * 200_000
FILES = {
    "p.jsonl": ("", f'{{"a": "{LARGE}"}}\n'),
    "p.json": ('["first"', f', "{LARGE}"'),
    "p.csv": ("a,b\n", f"{LARGE},2\n"),
    "p.txt": ("", f"{LARGE}\n"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("limit", [None, 1_000])
def test_a_pool_is_read_no_further_than_it_can_hold(name: str, limit: int | None) -> None:
    file = Endless(*FILES[name])
    with pytest.raises(ScenarioError, match=r"at most 5 MB fit; leave out .* --limit \d+$"):
        read_pool(Source(name, file), "in_turn", Sample(limit))  # type: ignore[arg-type]  # a raw file is read alike
    assert file.read_bytes < (8_000_000 if limit is None else 24_000_000)


def test_conversations_and_the_rows_of_traces_are_read_no_further_than_they_fit(tmp_path: Path) -> None:
    talk = Endless("", json.dumps({"messages": [{"role": "user", "content": LARGE}]}) + "\n")
    wanted = Wanted(sample=Sample(1_000))
    with pytest.raises(ScenarioError, match=r"is more than a scenario can hold"):
        import_scenarios(Source("t.jsonl", talk), wanted)  # type: ignore[arg-type]  # a raw file is read alike
    assert talk.read_bytes < 24_000_000
    path = tmp_path / "t.jsonl"
    path.write_text((json.dumps({"timestamp": 1, "note": LARGE}) + "\n") * 30)
    with pytest.raises(ScenarioError, match=r"t.jsonl: line 25: .* more than 5 MB"):
        trace_pool(path)
    assert len(trace_pool(path, 20).rows) == 20


def test_a_sample_of_rows_that_are_large_now_and_then_is_taken() -> None:
    some = [LARGE if number < 30 else "small" for number in range(3000)]
    source = Source("p.json", io.BytesIO(json.dumps(some).encode()))
    assert len(read_pool(source, "in_turn", Sample(30)).rows) == 30
