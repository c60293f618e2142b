"""Tables as spreadsheets and databases write them: the same for --data and --trace, or refused with the line."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.planning.trace_files import read_trace
from scenarios.definition.spec import ScenarioError
from scenarios.importers import Source, Wanted, import_scenarios, load_pool, prompt_scenario, read_pool, trace_pool
from scenarios.importers.tables import table
from scenarios.render.cells import gaps
from scenarios.render.walk import check_scenario
from tests.unit.scenarios.walks import hold


def rows(data: bytes | str, name: str = "p.csv") -> list[Any]:
    raw = data if isinstance(data, bytes) else data.encode()
    return list(read_pool(Source(name, io.BytesIO(raw))).rows)


HELLO = [{"q": "Hello", "who": "ada"}]


@pytest.mark.parametrize(
    "data",
    [
        "q,who\nHello,ada\n",
        b"\xef\xbb\xbfq,who\r\nHello,ada\r\n",
        "q,who\nHello,ada\n".encode("utf-16"),
        b"\xfe\xff" + "q,who\nHello,ada\n".encode("utf-16-be"),
        "q,who\nHello,ada\n".encode("utf-32"),
        gzip.compress(b"q,who\nHello,ada\n"),
        b"q,who\rHello,ada\r",
        "sep=;\nq;who\nHello;ada\n",
        "sep=\t\r\nq\twho\r\nHello\tada\r\n",
        '"sep=|"\nq|who\nHello|ada\n',
        "q;who\nHello;ada\n",
        "q\twho\nHello\tada\n",
        "q|who\nHello|ada\n",
        "# export of 2024\nq,who\nHello,ada\n",
        "#made by us\n#twice, even\n\nq,who\nHello,ada\n",
        "q,who\n# a remark\nHello,ada\n",
        "\n\n q , who \nHello,ada\n",
        "q,who,\nHello,ada,\n",
        "q,who,,\nHello,ada,,\n,,,\n",
        "q,who\nHello,ada,,\n",
        "q,,who\nHello,,ada\n",
        "q,who\nHello,ada\n,\n,\n\n",
        "q,who\n,\nHello,ada\n   ,  \n",
        '"q", "who"\n"Hello", "ada"\n',
    ],
)
def test_the_same_table_however_it_was_written(data: bytes | str) -> None:
    assert rows(data) == HELLO


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ('"q","the\nwho"\n"Hello","ada"\n', [{"q": "Hello", "the who": "ada"}]),
        ('q,"a;b;c\r\nd"\r\nHello,ada\r\n', [{"q": "Hello", "a;b;c d": "ada"}]),
        ('q,who\n"say \\"hi\\"",ada\n', [{"q": 'say "hi"', "who": "ada"}]),
        ('q,who\n"then, \\"bye\\"",bob\n', [{"q": 'then, "bye"', "who": "bob"}]),
        ('q,who\n"back\\\\","ada"\n', [{"q": "back\\\\", "who": "ada"}]),
        ('q,who\n"one\n\n\\"two\\"",ada\n', [{"q": 'one\n\n"two"', "who": "ada"}]),
        ('q, who\n"Hello", "ada, b"\n', [{"q": "Hello", "who": "ada, b"}]),
        ("q\nHello, you\nBye; all\n", [{"q": "Hello, you"}, {"q": "Bye; all"}]),
        ("#id,q\n1,Hello\n", [{"#id": "1", "q": "Hello"}]),
        ("q\n# a heading\n", [{"q": "# a heading"}]),
        ('q,who\n"a ""b"" c",=1+1\n', [{"q": 'a "b" c', "who": "=1+1"}]),
        ("q,who\n007,1e5\n", [{"q": "007", "who": "1e5"}]),
    ],
)  # fmt: skip
def test_quotes_lines_and_marks_in_cells(data: str, found: list[Any]) -> None:
    assert rows(data) == found


@pytest.mark.parametrize("text", ["word " * 40_000, "x" * 1_000_000, 'line "one"\n' * 30_000])
def test_a_cell_has_any_length_as_a_text_of_jsonl_has(text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    assert rows(f"q,who\n{quoted},ada\n") == rows(json.dumps({"q": text, "who": "ada"}), "p.jsonl")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("q,who\nHello,ada\nBye\n", "p.csv: line 3: has 1 value, and the first line names 2"),
        ("q,who\nHello, you,ada\n", "p.csv: line 2: has 3 values, and the first line names 2: put texts with ',' in"),
        ('q,who\n"a\nb",c\nx\n', "p.csv: line 4: has 1 value"),
        ("q,who,\nHello,ada,x\n", "p.csv: line 2: column 3 holds 'x' and has no name"),
        ("q,q\na,b\n", "p.csv: line 1: columns 1 and 2 are both named 'q'"),
        ("q, q \na,b\n", "p.csv: line 1: columns 1 and 2 are both named 'q'"),
        ("sep=;\nq;who;q\n1;2;3\n", "p.csv: line 2: columns 1 and 3 are both named 'q'"),
        (b"q,who\nHel\x00lo,ada\n", "p.csv: line 2: contains the character NUL"),
        ("q,who\nHello,ada\n".encode("utf-16-le"), "p.csv: line 1: contains the character NUL"),
        ("q,who\ncaf\u00e9,ada\n".encode("cp1252"), "p.csv: is not UTF-8 text: byte 9, line 2: save it as UTF-8"),
        ("q,who\n\n\u20ac,ada\n".encode("cp1252"), "p.csv: is not UTF-8 text: byte 7, line 3"),
        ('q,who\nx,y\n"never,closed\nz,z\n', "p.csv: line 3: a quotation mark is opened in this row and never closed"),
        ('q,who\n"a"b,c\n', "p.csv: line 2: "),
        (",,\n1,2,3\n", "p.csv: line 1: names no column"),
        ("q,who\n", "p.csv: contains no rows"),
        ("# only this\n", "p.csv: contains no rows"),
        (gzip.compress(b"q,who\nHello,ada\n")[:20], "p.csv: is gzip and cannot be unpacked"),
        (b"PK\x03\x04 a workbook", "p.csv: is a zip archive or a workbook of Excel"),
        (b"PAR1\x00\x00", "p.csv: is a Parquet file: convert it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_the_place(data: bytes | str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        rows(data)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        "timestamp;text\n0;hello\n0.5;bye\n",
        'timestamp,text\n0,"hello"\n0.5,"bye"\n',
        "# of today\ntimestamp,text,\n0,hello,\n,,\n0.5,bye,\n",
        "sep=|\ntimestamp|text\n0|hello\n0.5|bye\n",
    ],
)
def test_a_trace_and_data_are_read_alike(data: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(data)
    texts = ["hello", "bye"]
    assert [row["text"] for row in load_pool(path).rows] == texts == [row["text"] for row in trace_pool(path).rows]
    assert read_trace(path).times_s == [0, 0.5]


def test_a_line_break_in_a_cell_of_a_trace_makes_no_arrival(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('timestamp,text\n0,"step one\n1,two"\n2,bye\n')
    assert read_trace(path).times_s == [0, 2]
    assert [row["text"] for row in trace_pool(path).rows] == ["step one\n1,two", "bye"]


@pytest.mark.parametrize(
    ("prompt", "data", "says"),
    [
        ("{{ data.p.q }}", "q,who\nHello,ada\n,bob\n", "p.csv: line 3: 'q' is empty, and steps[0].text says nothing"),
        ("{{ data.p['q'] }}", "q,who\n,ada\n", "p.csv: line 2: 'q' is empty"),
        (" {{data.p.q}} {{ data.p.who }}", "q,who,n\na,,1\n,,2\n", "p.csv: line 3: 'q' and 'who' are empty"),
        ("{{ data.p.q }}", 'q,who\n"a\nb",x\n"  ",y\n', "p.csv: line 4: 'q' is empty"),
    ],
)
def test_a_cell_that_is_said_and_empty_fails_before_the_run(prompt: str, data: str, says: str) -> None:
    pool = read_pool(Source("p.csv", io.BytesIO(data.encode())))
    with pytest.raises(ScenarioError) as caught:
        prompt_scenario(prompt, {"p": pool})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('{"q": "a"}\n{"q": null}\n', "p.jsonl: line 2: 'q' is empty"),
        ('{"q": "a"}\n\n{"question": "b"}\n', "p.jsonl: line 3: has no 'q', which steps[0].text says"),
        ('{"q": "a"}\n"b"\n', "p.jsonl: line 2: has no 'q'"),
        ('{"q": "a"}\n{"q": NaN}\n', "p.jsonl: line 2: 'q' is empty"),
    ],
)
def test_an_odd_record_of_lines_is_found_with_its_place(lines: str, says: str) -> None:
    pool = read_pool(Source("p.jsonl", io.BytesIO(lines.encode())))
    with pytest.raises(ScenarioError) as caught:
        prompt_scenario("{{ data.p.q }}", {"p": pool})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rows", "says"),
    [
        ("{{ data.p.q.z }}", [{"q": {"z": "a"}}, {"q": {"y": "b"}}],
         "row 2: steps[0].text: `data.p.q.z` is undefined: there is no 'z'"),
        ("{{ data.p.q[0] }}", [{"q": ["a"]}, {"q": []}], "row 2: steps[0].text: a list has no 0"),
        ("{{ data.p.q | upper }}", [{"q": "a"}, {"q": ""}], "row 2: steps[0].text: the text is empty"),
        ("{{ data.p.n | int + 1 }}", [{"n": "1"}, {"n": "2"}, {"n": "x"}],
         "row 3: steps[0].text: invalid literal for int"),
        ("{% for x in data.p.q %}{{ x }}{% endfor %}", [{"q": ["a"]}, {"q": 5}],
         "row 2: steps[0].text: `for` does not work on a number"),
        ("{{ data.p.n | synthetic }} {{ data.p.q }}", [{"n": 5, "q": "a"}, {"n": "x", "q": "b"}],
         "row 2: steps[0].text: this filter works on numbers"),
    ],
)  # fmt: skip
def test_a_row_that_a_message_fails_with_is_found_before_the_run(text: str, rows: list[Any], says: str) -> None:
    spec = {"name": "s", "steps": [{"do": "say", "text": text}], "data": {"p": {"rows": rows}, "o": {"rows": ["x"]}}}
    with pytest.raises(ScenarioError) as caught:
        check_scenario(spec)
    assert str(caught.value).startswith(f"data.p: {says}")


def test_a_row_that_a_variable_or_the_system_message_fails_with_is_found_too() -> None:
    rows = [{"n": "1"}, {"n": "many"}]
    spec = {"name": "s", "steps": [{"do": "say", "text": "x"}], "data": {"p": {"rows": rows}}}
    for field, value in (("variables", {"n": "{{ data.p.n | int }}"}), ("system", "{{ data.p.n | int }}")):
        with pytest.raises(ScenarioError, match=rf"data\.p: row 2: {field}.*: invalid literal for int"):
            check_scenario({**spec, field: value})


@pytest.mark.parametrize(
    "text",
    ["{{ data.p.q | default('x') }}", "{{ data.p.q | int(0) }} {{ session.user }}", "{{ answer | default('x') }}",
     "{{ data.p.q | default('') }} {{ data.o }}", "{% if data.p.q is defined %}{{ data.p.q }}{% else %}x{% endif %}"],
)  # fmt: skip
def test_rows_that_a_message_handles_are_no_error(text: str) -> None:
    rows = [{"q": "5"}, {"r": "x"}]
    check_scenario({"name": "s", "steps": [{"do": "say", "text": text}],
                    "data": {"p": {"rows": rows}, "o": {"rows": ["x"]}}})  # fmt: skip


def test_a_variable_called_data_is_no_pool() -> None:
    steps = [{"do": "say", "text": "{{ data.p.q }}"}]
    check_scenario({"name": "s", "steps": steps, "variables": {"data": {"p": {"q": 1}}}})


def test_an_empty_cell_within_a_text_is_reported_and_a_default_is_no_error() -> None:
    pool = read_pool(Source("p.csv", io.BytesIO(b"q,who\nHello,\nBye,\nSo,bob\n")))
    spec = prompt_scenario("{{ data.p.q }} {{ data.p.who }}", {"p": pool})
    assert list(gaps(spec, {"p": pool.places})) == [
        "p.csv: line 2: 'who' is empty (so in 2 of 3 rows): steps[0].text has a gap there"
    ]
    spec = prompt_scenario("{{ data.p.who | default('nobody', true) }}", {"p": pool})
    assert not list(gaps(spec, {"p": pool.places}))
    assert hold(spec).texts == ["nobody"]  # of conversation 7


def test_a_scenario_with_rows_of_its_own_names_the_row_by_its_number() -> None:
    spec = {"steps": [{"do": "repeat", "times": 2, "steps": [{"do": "say", "text": "{{ data.p.q }}"}]}],
            "data": {"p": {"rows": [{"q": "a"}, {"q": ""}]}}}  # fmt: skip
    with pytest.raises(ScenarioError, match=r"data\.p: row 2: 'q' is empty, and steps\[0\]\.steps\[0\]\.text says"):
        import_scenarios(Source("s.json", io.BytesIO(json.dumps(spec).encode())), Wanted())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80) | st.text(alphabet='a,;"\\\n\r #|\t=', max_size=60).map(str.encode))
def test_whatever_the_bytes_are_there_are_rows_or_one_line(data: bytes) -> None:
    try:
        found = list(table(Source("p.csv", io.BytesIO(data))))
    except ScenarioError as exc:
        assert str(exc).startswith("p.csv")
    else:
        assert all(row for _, row in found)


@pytest.mark.parametrize(
    ("name", "text", "asked", "says"),
    [
        ("c.csv", "1,paris\n2,rome\n", "{{ data.d.city }}", "c.csv was taken as names: '1', 'paris'"),
        ("c.tsv", "a text\nmore\n", "{{ data.d['city'] }}", "c.tsv was taken as names: 'a text'"),
        ("c.csv", "x\ty\nz\tz\n", "{% for row in data.d.items %}{{ row }}{% endfor %}", "taken as names: 'x', 'y'"),
        ("c.csv", f"{','.join(f'c{n}' for n in range(20))}\n{','.join('x' * 20)}\n", "{{ data.d.city }}",
         "was taken as names: 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', ..."),
    ],
)  # fmt: skip
def test_where_a_field_is_missing_the_line_that_was_taken_as_names_is_quoted(
    name: str, text: str, asked: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ScenarioError) as refused:
        prompt_scenario(asked, {"d": load_pool(path)})
    assert "; the first line of " in str(refused.value)
    assert str(refused.value).endswith(says)


@pytest.mark.parametrize("asked", ["{{ data.d.city }}", "{{ data.d.name }}", "{{ data.d.city }} and {{ data.d.nme }}"])
def test_a_field_that_a_table_has_is_no_matter_of_its_first_line(asked: str, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("name,city\nBo,Oslo\nCy,\n")
    try:
        prompt_scenario(asked, {"d": load_pool(path)})
    except ScenarioError as exc:
        assert ("taken as names" in str(exc)) is ("nme" in asked)


def test_of_what_is_no_table_no_line_was_taken_as_names(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"1": "paris"}\n')
    with pytest.raises(ScenarioError) as refused:
        prompt_scenario("{{ data.d.city }}", {"d": load_pool(path)})
    assert str(refused.value).endswith("not every row of `data.d` has 'city': they have 1")
