"""Scenarios, their templates, and the files that become scenarios."""

from __future__ import annotations

import gzip
import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError, parse_scenario
from scenarios.importers import Source, Wanted, import_scenarios, read_pool
from scenarios.render.walk import Walk, check_scenario, compile_scenario
from scenarios.template.filters import DRAWING, FILTERS, TESTS
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import Seeds, as_json, damaged
from tests.support.attacks.expressions import expressions

SESSION: Final = {"id": "s1", "number": 4, "user": 0}
LIBRARY: Final = Path(__file__).parents[3] / "scenarios"
STEPS: Final = 40
"""Of a walk: a scenario may go on for ever."""
_MESSAGES: Final = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
_NODE: Final = {"id": "m", "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hi"]}}
FILES: Final[tuple[tuple[str, Any], ...]] = (
    ("sharegpt.json", [{"id": "1", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "x"}]}]),
    ("openai.jsonl", [{"messages": _MESSAGES, "tools": []}, {"messages": _MESSAGES}]),
    ("talk.json", _MESSAGES),
    ("prompts.jsonl", [{"prompt": "Say {{ x }}", "category": 3}, {"question": "Why?"}]),
    (
        "conversations.json",
        [
            {
                "title": "A",
                "mapping": {
                    "r": {"id": "r", "message": None, "parent": None, "children": ["m"]},
                    "m": {"id": "m", "message": _NODE, "parent": "r", "children": []},
                },
                "current_node": "m",
            }
        ],
    ),
    ("trace.jsonl", [{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}]),
    ("alpaca.json", [{"instruction": "Do", "input": "it", "output": "done"}]),
)  # fmt: skip
TABLES: Final = (
    ("people.csv", "name,city\nAda,Bern\nBo,Oslo\n"),
    ("people.tsv", "name\tcity\nAda\tBern\n"),
    ("quoted.csv", 'a;"b ""c"";d"\n"x\ny";2\n'),
    ("lines.txt", "Hello\nHow are you?\n"),
)


def library_seeds() -> list[dict[str, Any]]:
    own = {
        "name": "own",
        "variables": {"n": 3, "list": [1, "a"]},
        "data": {"p": {"rows": [{"name": "Cy", "tags": ["a"], "file": "dot"}], "use": "once"}},
        "files": {"dot": {"base64": "R0lGODlh", "name": "dot.gif"}, "made": {"generate": "pdf", "bytes": 1500}},
        "steps": [
            {"do": "set", "name": "z", "value": "{{ data.p.name | upper }}"},
            {"do": "repeat", "times": 2, "steps": [{"do": "say", "text": "{{ z }} {{ answer }}"}]},
            {"do": "wait", "seconds": 0.1},
            {
                "do": "say",
                "text": "Bye",
                "attachments": ["made", "{{ data.p.file }}", {"base64": "QQ==", "type": "a/b"}],
            },
            {"do": "expect", "contains": "a"},
        ],
    }
    kept = (*LIBRARY.glob("library/*.json"), *LIBRARY.glob("conversations/*.json"))
    return [own, *(json.loads(path.read_text(encoding="utf-8")) for path in sorted(kept))]


def take_scenario(data: Any) -> str:
    if not isinstance(data, dict):
        return "of another shape"
    try:
        spec = check_scenario(data)
        spec.model_dump_json()
        walk = Walk(compile_scenario(spec), random.Random(1), SESSION)
        for _ in range(STEPS):
            if walk.next_action() is None:
                break
            walk.answer("An answer.")
    except ScenarioError as exc:
        str(exc)
        return "refused"
    return "accepted"


def take_template(expression: str) -> str:
    steps = [{"do": "set", "name": "z", "value": f"{{{{ {expression} }}}}"}, {"do": "say", "text": "{{ z }}"}]
    variables = {"long": "ab " * 20_000, "list": list(range(2000)), "n": 5}
    try:
        spec = parse_scenario({"name": "s", "steps": steps, "variables": variables})
        Walk(compile_scenario(spec), random.Random(1), SESSION).next_action()
    except ScenarioError:
        return "refused"
    return "accepted"


def take_file(given: tuple[str, bytes, bool]) -> str:
    name, data, as_data = given
    source = Source(name, BytesIO(data))
    try:
        if as_data:
            read_pool(source, "in_turn", None)
        else:
            for spec in import_scenarios(source, Wanted()):
                spec.model_dump_json()
    except ScenarioError as exc:
        str(exc)
        return "refused"
    return "accepted"


_CHANGES: Final = [(name, Seeds([value]).mutated()) for name, value in FILES]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes, bool]:
    if draw(st.booleans()):
        name, changes = draw(st.sampled_from(_CHANGES))
        changed = draw(changes)
        lines = name.endswith("l") and isinstance(changed, list)
        text = b"\n".join(as_json(line) for line in changed) if lines else as_json(changed)
    else:
        name, table = draw(st.sampled_from(TABLES))
        text = table.encode()
    data = draw(damaged(st.just(text)))
    match draw(st.integers(0, 9)):
        case 0:
            data = gzip.compress(data * draw(st.sampled_from([1, 1, 50])), mtime=0)
        case 1:
            data = data.decode("utf-8", "replace").encode("utf-16")
        case 2:
            name = draw(st.sampled_from(["x.csv", "x.json", "x.txt", "x", "x.jsonl.gz", "../x.json", "x\x00.csv"]))
    return name, data, draw(st.booleans())


KINDS: Final = [
    Kind("scenarios", 10, lambda: Seeds(library_seeds()).mutated(4), take_scenario),
    Kind(
        "scenario templates",
        6,
        lambda: expressions(
            ["long", "list", "n", "session.id", "answer"], sorted({*FILTERS, *DRAWING}), sorted(TESTS), methods=False
        ),
        take_template,
    ),
    Kind("files", 12, files, take_file),
]
