"""Chatbots that lie in what they mean, and honest odd ones, over every protocol and both lanes: no green lie, no false
alarm. The table is `tests.liars`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.liars.bots import LIARS
from tests.liars.odd import ODD
from tests.liars.runs import Held, hold_all, reference_all, untrue, untrue_alone
from tests.liars.serve import Conduct, LiarServer
from tests.liars.table import EVERY


@pytest.fixture
def server() -> Iterator[LiarServer]:
    bots = {name: Conduct(bot.speak, bot.greet) for name, bot in {**LIARS, **ODD}.items()}
    with LiarServer(bots) as running:
        yield running


def said(wrong: Mapping[str, Sequence[str]]) -> str:
    """A line for each bot."""
    return "".join(f"\n{name}: {'; '.join(lies[:3])}" for name, lies in wrong.items())


def test_there_are_forty_of_each_kind() -> None:
    assert len(LIARS) >= 40
    assert len(ODD) >= 40
    assert {protocol for bot in LIARS.values() for protocol in bot.protocols} == set(EVERY)


@pytest.mark.parametrize("protocol", EVERY)
def test_no_liar_is_green(server: LiarServer, protocol: str, tmp_path: Path) -> None:
    wrong = {}
    for name, held in hold_all(LIARS, protocol, server, tmp_path).items():
        if lies := list(_green_lies(name, held, server)):
            wrong[name] = lies
    assert not wrong, said(wrong)


def _green_lies(name: str, held: Held, server: LiarServer) -> Iterator[str]:
    bot, book = LIARS[name], server.books[name]
    assert held.turns
    found = list(untrue(held, book, bot))
    if found and not held.reasons & bot.seen_as:
        yield f"the verdict does not name it ({sorted(held.told)}): {found[0]}"
    if bot.seen_as and not held.told & bot.seen_as:
        yield f"it is seen as {sorted(held.told)}, not as one of {sorted(bot.seen_as)}"
    if bot.seen_as and held.green:
        yield "the run is green"


@pytest.mark.parametrize("protocol", EVERY)
def test_no_honest_bot_is_accused(server: LiarServer, protocol: str, tmp_path: Path) -> None:
    wrong = {}
    for name, held in hold_all(ODD, protocol, server, tmp_path).items():
        lies = list(untrue(held, server.books[name], ODD[name]))
        lies += [f"{turn['code']}: {turn['detail']}" for turn in held.turns if turn["outcome"] != "ok"][:1]
        lies += sorted(held.reasons)
        if held.report.get("unsolicited") and not held.by_id:
            lies.append(f"{held.report['unsolicited']} messages are said to be unsolicited")
        if len(held.turns) != 16:
            lies.append(f"{len(held.turns)} turns of 16")
        if lies:
            wrong[name] = lies
    assert not wrong, said(wrong)


@pytest.mark.parametrize("protocol", EVERY)
def test_the_reference_lane_judges_the_same(server: LiarServer, protocol: str, tmp_path: Path) -> None:
    """Turn by turn: what fails in the load lane fails here. Cases that only a verdict detects are left out."""
    wrong = {}
    for name, turns in reference_all(LIARS, protocol, server).items():
        bot = LIARS[name]
        codes = {turn.code for turn in turns} - {None}
        if bot.seen_as and not bot.expects and not codes & bot.seen_as and "answers_may_be_shifted" not in bot.seen_as:
            wrong[name] = [f"{codes} is not one of {sorted(bot.seen_as)}", *untrue_alone(turns)]
    for name, turns in reference_all(ODD, protocol, server).items():
        if failed := [str(turn.error) for turn in turns if turn.error is not None]:
            wrong[name] = failed
        elif lies := [
            turn.text
            for turn, truth in zip(turns, server.books[name].truths.values(), strict=True)
            if turn.text != truth.text
        ]:
            wrong[name] = lies
    assert not wrong, said(wrong)
