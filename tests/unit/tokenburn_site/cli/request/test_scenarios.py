"""What is said, from the command line: files, weights, data and made-up texts."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from scenarios.models import Scenario
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options, check
from tokenburn_site.cli.options.parser import add_options, new_parser
from tokenburn_site.cli.options.scenarios import DataFile, data_file
from tokenburn_site.cli.request.parts import adhoc_target
from tokenburn_site.cli.request.scenarios import build_scenarios, with_output_lengths

pytestmark = pytest.mark.django_db

TARGET = ["--url", "http://127.0.0.1:1/v1", "--preset", "openai-chat", "--users", "2", "--duration", "3s"]


def options(*argv: str) -> Options:
    parser = new_parser("burn")
    add_options(parser)
    return check(vars(parser.parse_args([*TARGET, *argv])))


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_weight_stands_behind_a_scenario_and_a_file_of_that_very_name_goes_before_it(tmp_path: Path) -> None:
    talk = {"steps": [{"do": "say", "text": "x"}]}
    odd = write(tmp_path / "talk=5", json.dumps({**talk, "name": "odd"}))
    Scenario.objects.create(name="mine=2", spec={**talk, "name": "mine"})
    mix = build_scenarios(options("--scenario", "rapid-fire=3", "--scenario", odd, "--scenario", "mine=2")).mix
    assert [(weight, spec.name) for weight, spec in mix] == [(3.0, "rapid-fire"), (1.0, "odd"), (1.0, "mine")]
    mix = build_scenarios(options("--scenario", "sample-conversations=5", "--scenario", "mine=2=0.5")).mix
    assert sum(weight for weight, _ in mix) == pytest.approx(5.5)
    with pytest.raises(BadUsage, match="a weight must be above 0"):
        build_scenarios(options("--scenario", "rapid-fire=0"))


def test_data_goes_to_the_scenarios_that_name_it_and_stands_for_their_own(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", "name,city\nAda,Bern\nBo,Oslo\n")
    own = {"steps": [{"do": "say", "text": "{{ data.p.name }}"}], "data": {"p": {"rows": [{"name": "Cy"}]}}}
    Scenario.objects.create(name="own", spec={**own, "name": "own"})
    [(_, spec)] = build_scenarios(options("--prompt", "I am {{ data.p.name }}", "--data", f"p={people}:once")).mix
    assert (spec.data["p"].use, spec.data["p"].rows[1]) == ("once", {"name": "Bo", "city": "Oslo"})
    mix = build_scenarios(options("--scenario", "own", "--scenario", "rapid-fire", "--data", f"p={people}")).mix
    assert [len(spec.data) for _, spec in mix] == [1, 0]
    assert mix[0][1].data["p"].rows[0]["name"] == "Ada"
    with pytest.raises(BadUsage, match=r"--data q: no scenario uses it: write {{ data.q }} where"):
        build_scenarios(options("--prompt", "Hello {{ session.user }}", "--data", f"q={people}"))
    with pytest.raises(BadUsage, match=r"--data: .*people\.csv: line 2"):
        write(tmp_path / "people.csv", "name,city\nAda\n")
        build_scenarios(options("--prompt", "{{ data.p.name }}", "--data", f"p={people}"))


def test_a_limit_takes_a_sample_that_the_seed_repeats(tmp_path: Path) -> None:
    lines = write(tmp_path / "prompts.txt", "\n".join(f"prompt {n}" for n in range(500)))

    def drawn(*seed: str) -> list[str]:
        [(_, spec)] = build_scenarios(options("--scenario", lines, "--limit", "20", *seed)).mix
        return [row["messages"][0]["content"] for row in spec.data["talks"].rows]

    assert drawn("--seed", "4") == drawn("--seed", "4") != drawn("--seed", "5")
    assert len(set(drawn())) == 20


def test_what_is_left_out_of_a_file_is_told(tmp_path: Path) -> None:
    talks = [{"conversations": [{"from": who, "value": "x"}]} for who in ("human", "gpt")]
    said = build_scenarios(options("--scenario", write(tmp_path / "t.json", json.dumps(talks))))
    assert len(said.notes) == 1
    assert "1 of 2 conversations are left out" in said.notes[0]


def test_synthetic_texts_are_a_scenario_and_their_output_a_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    found = options("--synthetic", "input=64,sd=8,output=32,turns=2")
    assert found.params == {"max_tokens": 32}
    [(_, spec)] = build_scenarios(found).mix
    assert spec.name == "synthetic"
    with pytest.raises(BadUsage, match="'max_tokens' is given twice"):
        options("--synthetic", "input=64,output=32", "--param", "max_tokens=5")
    with pytest.raises(SystemExit):
        options("--synthetic", "input=x")
    assert "argument --synthetic: input: must be" in capsys.readouterr().err
    with pytest.raises(BadUsage, match="give only one of"):
        options("--synthetic", "input=5", "--prompt", "x")
    with pytest.raises(BadUsage, match="from-trace needs a trace: give --trace FILE"):
        options("--synthetic", "from-trace")


def test_a_traces_rows_say_how_long_texts_and_answers_are(tmp_path: Path) -> None:
    rows = "".join(f'{{"timestamp": {500 * n}, "input_length": {n + 5}, "output_length": {n + 2}}}\n' for n in range(4))
    trace = write(tmp_path / "t.jsonl", rows)
    argv = [*TARGET[:4], "--trace", trace]
    parser = new_parser("burn")
    add_options(parser)
    found = check(vars(parser.parse_args([*argv, "--synthetic", "from-trace"])))
    said = build_scenarios(found)
    assert [row["output_length"] for row in said.mix[0][1].data["trace"].rows] == [2, 3, 4, 5]
    target = with_output_lengths(adhoc_target(found, {}), said)
    body = target.request.body
    assert body["max_tokens"] == "{{ vars.output_length }}"
    times = write(tmp_path / "times.jsonl", "1\n2\n")
    assert build_scenarios(check(vars(parser.parse_args([*TARGET[:4], "--trace", times, "--prompt", "x"])))).mix
    with pytest.raises(BadUsage, match=r"'data' is not known.*\(--trace: .*times\.jsonl: line 1: has only a time"):
        build_scenarios(
            check(vars(parser.parse_args([*TARGET[:4], "--trace", times, "--prompt", "{{ data.trace.x }}"])))
        )


def test_a_data_option_names_a_pool_a_file_and_a_use() -> None:
    assert data_file("p=a.csv:once") == DataFile("p", Path("a.csv"), "once")
    assert data_file("p=c:/x=1.csv") == DataFile("p", Path("c:/x=1.csv"), "in_turn")
    assert data_file("p=odd:once:random") == DataFile("p", Path("odd:once"), "random")
    for wrong in ("a.csv", "p=", "1p=a.csv", "=a"):
        with pytest.raises(ArgumentTypeError, match="not of the form NAME=FILE"):
            data_file(wrong)
    with pytest.raises(BadUsage, match="--data p is given twice"):
        options("--prompt", "x", "--data", "p=a", "--data", "p=b")
