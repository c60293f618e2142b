"""The plan of an answer: what its random numbers depend on, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mock_chatbot.core import reply as module
from mock_chatbot.core.options import Options, Range
from mock_chatbot.core.reply import Ask, Dice, Plan, plan

OPTIONS = Options.default()


def ask(text: str = "Hello", *, max_tokens: int | None = None, conversation: str = "") -> Ask:
    return Ask((("user", text),), max_tokens=max_tokens, conversation=conversation)


def answers(asked: list[Ask], options: Options = OPTIONS, dice: Dice | None = None) -> list[Plan]:
    dice = dice or Dice()
    return [plan(each, options, dice.roll(options.seed, each)) for each in asked]


def test_the_same_requests_get_the_same_answers() -> None:
    asked = [ask("a"), ask("b"), ask("a"), ask("a", conversation="anna")]
    assert answers(asked) == answers(asked)
    assert len({each.reply.id for each in answers(asked)}) == 4


def test_order_does_not_matter_between_different_requests() -> None:
    forth, back = answers([ask("a"), ask("b"), ask("a")]), answers([ask("b"), ask("a"), ask("a")])
    assert sorted(each.reply.id for each in forth) == sorted(each.reply.id for each in back)
    assert (forth[0], forth[1]) == (back[1], back[0])


def test_another_seed_gives_other_answers() -> None:
    assert answers([ask()], replace(OPTIONS, seed=1)) != answers([ask()], replace(OPTIONS, seed=2))


def test_reset_starts_anew() -> None:
    dice = Dice()
    first = answers([ask(), ask()], dice=dice)
    dice.reset()
    assert answers([ask(), ask()], dice=dice) == first


def test_one_option_does_not_change_what_others_bring_about() -> None:
    asked = [ask(str(number)) for number in range(50)]
    calm, wild = (answers(asked, replace(OPTIONS, error_rate=rate)) for rate in (0.0, 0.5))
    assert [each.reply for each in calm] == [each.reply for each in wild]
    assert not any(each.failure for each in calm) and any(each.failure for each in wild)


def test_errors_come_at_their_rate_and_in_all_kinds() -> None:
    failures = [each.failure for each in answers([ask(str(number)) for number in range(4000)])]
    failed = [failure.status for failure in failures if failure]
    assert 0.04 < len(failed) / 4000 < 0.06, "5 % with a standard deviation of 0.34 %"
    assert set(failed) == {500, 429, 503}


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    options = replace(OPTIONS, delay_ms=Range(100, 2000), itl_ms=Range(5, 10), tokens=Range(3, 6))
    replies = [each.reply for each in answers([ask(str(number)) for number in range(1000)], options)]
    assert all(0.1 <= reply.delay_s <= 2 and 0.005 <= reply.itl_s <= 0.01 for reply in replies)
    assert min(reply.delay_s for reply in replies) < 0.15 and max(reply.delay_s for reply in replies) > 1.95
    assert {len(reply.tokens) for reply in replies} == {3, 4, 5, 6}


@pytest.mark.parametrize(
    ("max_tokens", "thoughts", "tokens", "finish"),
    [(None, 3, 5, "stop"), (8, 3, 5, "stop"), (7, 3, 4, "length"), (3, 3, 0, "length"), (2, 2, 0, "length")],
)
def test_max_tokens_limits_reasoning_and_answer(
    max_tokens: int | None, thoughts: int, tokens: int, finish: str
) -> None:
    options = replace(OPTIONS, reasoning=Range(3, 3), tokens=Range(5, 5))
    reply = answers([ask(max_tokens=max_tokens)], options)[0].reply
    assert (len(reply.reasoning), len(reply.tokens), reply.finish) == (thoughts, tokens, finish)
    assert reply.output_tokens == thoughts + tokens


def test_a_cut_answer_begins_like_the_whole_one() -> None:
    whole, cut = answers([ask()])[0].reply, answers([ask(max_tokens=4)])[0].reply
    assert cut.tokens == whole.tokens[:4]


def test_memory_of_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_REQUESTS", 2)
    dice = Dice()
    first, *_, again = answers([ask("a"), ask("b"), ask("c"), ask("a")], dice=dice)
    assert again == first, "the oldest was forgotten"
