"""Generated texts of a given length in tokens, and a scenario of them. Pure; drawn from the session's seed.

Tokens are estimated at four characters each, as everywhere in Token-Burn. The words are so chosen that they are four
characters long on average, with their space, and common enough for most tokenizers to have each as one token.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inputs.wording import words_of
from scenarios.definition.limits import bounded_chars
from scenarios.definition.spec import ScenarioError

CHARS_PER_TOKEN: Final = 4
DRAWN_WORDS: Final = 32
"""Number of words at the start of a text that are drawn one by one, so that texts of equal length differ from the start
and no prefix cache helps. The rest is cut out of a long text at a drawn position, at a cost independent of its
length."""
FROM_TRACE: Final = "from-trace"
LONG_WORDS: Final = 20_000
_SHORT: Final = " a I an as at be by do go he if in is it me my no of on or so to up us we "
_LONGER: Final = """
    the and for are but not you all any can had her was one our out day get has him his how man new now old see two
    way who did its let put say she too use act add age ago air aid aim arm art ask bad bag bar bed bet big bit box
    bus buy car cat cup cut dad dog dry due ear eat egg end eye far fat few fit fix fly fun gas hat hit hot ice job
    key kid lab law lay leg lie lot low map may mix net nor odd off oil own pay per pet pop pot pro raw red run sea
    set sit six sky son sum sun tax tea ten tie tip top toy try via wet why win yes yet bus cow row fan ink jam lip
    able area away back base blue body book both call care case city come cost dark data deal door down each east
    even face fact fall farm fast feel fine fire fish five food foot form four free full game girl give glad goal
    gold good gray half hand hard head hear help here high hill hold home hope hour idea into item keep kind king
    lake land last late lead less life like line list live long look main make many mark mind more most move much
    name near need next nice note once only open over page part past path plan play read real rest rich ride ring
    road rock room rule safe same sand seat seed self sell send ship shop show side sign size slow snow some song
    soon star stay step stop such sure take talk tall team tell test than that them then they thin this time town
    tree trip true turn unit very view wait walk wall want warm wash week well west what when wide wild wind wish
    with wood word work yard year
"""
WORDS: Final = tuple((_LONGER + _SHORT * 6).split())
"""Short ones more often, as in real texts: three letters on average."""


class Drawing(Protocol):
    def random(self) -> float: ...
    def choices(self, population: Sequence[str], *, k: int) -> list[str]: ...


def synthetic_text(tokens: float, rng: Drawing) -> str:
    """About `tokens` tokens of text (at least one). Raises ScenarioError for one that is too long to be sent."""
    chars = max(1, round(tokens)) * CHARS_PER_TOKEN
    bounded_chars(chars)
    text = " ".join(rng.choices(WORDS, k=min(DRAWN_WORDS, chars)))
    if len(text) < chars:
        place = int(rng.random() * LONG_WORDS)
        long = _long()
        rest = long[long.index(" ", place * len(long) // (LONG_WORDS + 1)) :]
        text += rest + long * ((chars - len(text) - len(rest)) // len(long) + 1) if len(rest) < chars else rest
    return text[:chars].rstrip()


@cache
def _long() -> str:
    """A text that begins and ends with a space."""
    words = random.Random("synthetic").choices(WORDS, k=LONG_WORDS)
    return f" {' '.join(words)} "


@lru_cache(maxsize=64)
def shared_text(tokens: float, label: str) -> str:
    """The same text for every session that uses the same label, as prefix caches expect."""
    return synthetic_text(tokens, random.Random(f"shared:{label}"))


class Synthetic(BaseModel):
    """What `--synthetic` describes; lengths in tokens. Input lengths are normal, cut to `low` and `high`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: int | None = Field(None, ge=1, le=250_000)
    """None: each row of a trace contains it (`data.trace.input_length`)."""
    sd: float = Field(0.0, ge=0, le=250_000)
    low: int = Field(1, ge=1, le=250_000)
    high: int | None = Field(None, ge=1, le=250_000)
    output: int | None = Field(None, ge=1, le=1_000_000)
    """Maximum length of each answer; None: no limit."""
    turns: int = Field(1, ge=1, le=1000)
    shared_prefix: int = Field(0, ge=0, le=250_000)
    """A system message that is the same in all conversations."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high is not None and self.high < self.low:
            raise ValueError(f"high={self.high} is below low={self.low}")
        return self


def parse_synthetic(text: str) -> Synthetic:
    """`input=512,sd=64,output=128,turns=3,shared_prefix=1000`, or `from-trace`, also with more after it.

    Raises ScenarioError.
    """
    first, *more = [part.strip() for part in text.split(",")]
    parts = more if first == FROM_TRACE else [first, *more]
    pairs = [part.partition("=") for part in parts]
    if any(not name or not equals for name, equals, _ in pairs) or (first != FROM_TRACE and "input=" not in text):
        raise ScenarioError(f"{text!r}: write for example input=512,sd=64,output=128, or {FROM_TRACE}")
    try:
        return Synthetic.model_validate({name.strip(): value.strip() for name, _, value in pairs})
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        what = words_of(problem, Synthetic)
        raise ScenarioError(f"{'.'.join(map(str, problem['loc'])) or text}: {what}") from exc


def synthetic_scenario(wanted: Synthetic) -> dict[str, Any]:
    """The data of a scenario with such texts, to be validated, stored and edited like any other."""
    if wanted.input is None:
        text = "{{ data.trace.input_length | synthetic }}"
    elif wanted.sd:
        cuts = f"sd={wanted.sd:g}, low={wanted.low}" + ("" if wanted.high is None else f", high={wanted.high}")
        text = f"{{{{ {wanted.input} | spread('normal', {cuts}) | synthetic }}}}"
    else:
        text = f"{{{{ {wanted.input} | synthetic }}}}"
    say = {"do": "say", "text": text}
    steps = [say] if wanted.turns == 1 else [{"do": "repeat", "times": wanted.turns, "steps": [say]}]
    prefix = f"{{{{ {wanted.shared_prefix} | synthetic('prefix') }}}}" if wanted.shared_prefix else None
    return {
        "name": "synthetic",
        "description": "Made-up texts of a wanted length in tokens, estimated at four characters each.",
        "system": prefix,
        "steps": steps,
    }
