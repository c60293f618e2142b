"""The options that end a run before its time: what they mean, and the one line for each misuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runs.load.profile import parse_load
from tests.unit.tokenburn_site.cli.options.test_burn_options import GOOD, options, refused

PRICE = ["--price", "m=0.15/0.60"]


def budget(*argv: str) -> Any:
    return options(*GOOD, *argv).load.get("budget")


def test_without_them_the_load_has_no_budget_of_its_own() -> None:
    assert budget() is None


def test_every_option_arrives(tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    table.write_text(json.dumps({"m": {"input": 9, "output": 9}, "*": {"input": 1, "output": 2}}))
    argv = "--max-tokens 1.5M --max-cost 2.50 --max-turns 20k --max-errors 7 --max-error-rate 5%/1m --no-error-abort"
    found = budget(*argv.split(), "--prices", str(table), "--price", "org/m:a=b=.5/10", *PRICE)
    assert found == {
        "tokens": 1_500_000,
        "cost": 2.5,
        "turns": 20_000,
        "errors": 7,
        "error_rate": {"above": 0.05, "window_s": 60.0},
        "no_success_timeout_s": None,
        "prices": {
            "m": {"input": 0.15, "output": 0.6},
            "*": {"input": 1, "output": 2},
            "org/m:a=b": {"input": 0.5, "output": 10.0},
        },
    }
    assert parse_load({"kind": "closed", "users": 1, "duration_s": 1, "budget": found}).budget.cost == 2.5


@pytest.mark.parametrize(("text", "above"), [("5%", 0.05), ("0.05", 0.05), (".5%", 0.005)])
def test_a_rate_of_errors_is_a_share(text: str, above: float) -> None:
    assert budget("--max-error-rate", text) == {"error_rate": {"above": pytest.approx(above)}}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--max-cost", "5"], "--max-cost needs prices per million tokens: add --price"),
        (["--max-cost", "0", *PRICE], "'0' is not an amount above zero"),
        (["--max-cost", "nan", *PRICE], "'nan' is not an amount above zero"),
        (["--max-tokens", "0"], "'0' is not a whole number from 1"),
        (["--max-tokens", "1.5"], "write for example 5000, 200k or 1.5M"),
        (["--max-turns", "-3"], "'-3' is not a whole number from 1"),
        (["--max-error-rate", "100%"], "--max-error-rate: must be less than 1"),
        (["--max-error-rate", "5%/30"], "'30' has no unit"),
        (["--price", "m"], "'m' is not a price: write MODEL=IN/OUT"),
        ([*PRICE, *PRICE], "'m' is given twice"),
        (["--prices", "/nowhere.json"], "/nowhere.json: No such file"),
    ],
)
def test_misuse_is_said_in_one_line(argv: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, *GOOD, *argv)


def test_a_table_that_is_no_object_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, says in (("[]", "give a JSON object"), ("{", "is not JSON")):
        (tmp_path / "prices.json").write_text(text)
        assert says in refused(capsys, *GOOD, "--prices", str(tmp_path / "prices.json"))
