"""What burn prints about a run's cost before it begins."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from runs.load.profile import parse_load
from scenarios.importers import prompt_scenario
from tests.support.runs import target
from tokenburn_site.cli.burn.estimate import show, show_cost
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.request.parts import Parts

pytestmark = pytest.mark.django_db


def parts(**prices: object) -> Parts:
    load = {"kind": "closed", "users": 2, "conversations": 1000, "budget": {"prices": prices}}
    return Parts(target(), [(1.0, prompt_scenario("x" * 40))], parse_load(load))


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=200)


def said(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


PRICE = {"input": 1.0, "output": 10.0}


def test_on_a_terminal_a_run_with_prices_is_announced_with_its_cost() -> None:
    terminal = console(terminal=True)
    show_cost(Options(), parts(mock=PRICE), terminal)
    assert "estimate: turns: about 1,000, tokens in: about 10,000, tokens out: about 200,000" in said(terminal)
    assert "cost: about 2.01 (0.510 to 6.01); all of it: --estimate" in said(terminal)


def test_without_prices_or_in_a_pipe_it_is_not() -> None:
    for of, given in ((console(terminal=True), parts()), (console(terminal=False), parts(mock=PRICE))):
        show_cost(Options(), given, of)
        assert said(of) == ""


def test_the_whole_estimate_names_what_it_assumes() -> None:
    pipe = console(terminal=False)
    assert show(Options(), parts(), pipe) == 0
    assert "cost" not in said(pipe)
    assert "assumed: answers: 3 s and 200 tokens" in said(pipe)


def test_a_table_without_the_targets_model_is_bad_usage() -> None:
    with pytest.raises(BadUsage, match="there is no price for the model 'mock'"):
        show(Options(), parts(other=PRICE), console(terminal=False))
