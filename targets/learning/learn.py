"""From inputs to a proposal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from connectors.mapping.unset import named_secrets
from connectors.security.redact import Redactor
from connectors.spec import SpecError, TargetSpec, build_target_spec, load_preset, merge
from connectors.target import CompiledTarget
from targets.learning.asked import SESSION_KEYS
from targets.learning.choosing import chat_of, promising, same_place
from targets.learning.credentials.concealed import SHORTEST, Secrets, conceal
from targets.learning.credentials.signed import sign, unsigned
from targets.learning.generic import generic
from targets.learning.handshakes import with_handshake
from targets.learning.histories import histories
from targets.learning.presets.elsewhere import name_what_is_sealed, of_gradio
from targets.learning.presets.fit import Fit, best_fit
from targets.learning.proposal import Proposal
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import Answer, Exchange
from targets.learning.recorded.reading import read_inputs
from targets.learning.replay import replay
from targets.learning.rivals import holds, message_of, rivals_of, text_of, told
from targets.learning.shared import leave_out, name_shared, veil
from targets.learning.text_like import bare, is_id
from targets.learning.unnamed_ids import where_answers_come
from targets.learning.web_pages import without_pages
from targets.learning.written import constant, own_headers

SHOWN: Final = 400
"""Characters of the recorded message and answer that a proposal shows."""
UNCHECKED: Final = "; no answer was recorded to check it with"
FOLLOWING: Final = 40
"""Exchanges after a request in which its answer is looked for."""


_SECRET: Final = re.compile(r"\bsecret\.(\w+) }}")
_PLACEHOLDER: Final = re.compile(r"^(?:Bearer )?[$<{\[%]|^KEY$|\*\*\*|(?i:your|xxx+)")
"""Of examples: they stand for a secret, and are none."""


def learn(inputs: Sequence[bytes | str], *, message: str = "", url: str = "") -> Proposal:
    """`message`: what the user said, if it is known; `url`: the address, where the input has none. Raises LearnError,
    which says what is wrong with the input."""
    recorded = read_inputs(inputs, url)
    secrets = Secrets()
    kept, tried = promising(without_pages(recorded.exchanges), message)
    concealed = {id(one): conceal(unsigned(one, secrets), secrets) for one in kept}
    exchanges, likely = [*concealed.values()], [concealed[id(one)] for one in tried]
    fit = best_fit([one for one in likely if not message or holds(one, message)])
    if fit is not None and _answered_elsewhere(fit, likely):
        fit = None
    if fit is not None:
        made, chat = _of_preset(fit), fit.exchange
    elif (queued := of_gradio(likely, message)) is not None:
        made, chat = queued
    else:
        chat, before, marker = chat_of(likely, message)
        earlier = [one for one in exchanges[: exchanges.index(chat)] if not same_place(one, chat)]
        chat, steps = with_handshake(chat, earlier, secrets)
        made = generic(chat, before, marker, steps)
        name_what_is_sealed(made, exchanges)
    if chat.http2:
        made.overrides["http"] = {"version": "2"}
    if recorded.documented:
        made.unsure.append("it follows from descriptions alone: try it")
    made.unsure += told(rivals_of(chat, likely, made.message), made.message)
    leave_out(made)
    name_shared(made)
    named = sign(made, chat, secrets)
    _name_secrets(made, secrets, named if fit is None else fit.secrets | named)
    _verify(made, [one.answer for one in (chat, *_after(chat, exchanges))])
    made.message = made.message[:SHOWN]
    _check_leaks(made, secrets)
    return made


def _answered_elsewhere(fit: Fit, likely: Sequence[Exchange]) -> bool:
    """Whether the preset's request has no text as its answer, and another one with the same message has."""
    if fit.reading is not None and fit.reading.text:
        return False
    said = message_of(fit.exchange)
    return any(text_of(one, said) for one in rivals_of(fit.exchange, likely, said))


def _of_preset(fit: Fit) -> Proposal:
    info, chat = fit.info, fit.exchange
    spec = build_target_spec(name="learned", url=fit.base, preset=info.name, stream=fit.stream)
    taken = {name.lower() for name in spec.request.headers}
    headers = {name: value for name, value in own_headers(chat).items() if name.lower() not in taken | {"cookie"}}
    body: dict[str, Any] = {}
    for path, value in fit.unknown.items():
        inside = body
        for key in path[:-1]:
            inside = inside.setdefault(key, {})
        own = bare(path[-1]) in SESSION_KEYS and isinstance(value, str) and is_id(value)
        inside[path[-1]] = "{{ session.id }}" if own else constant(value)
    request = {key: value for key, value in (("headers", headers), ("body", body)) if value}
    talk = next(iter(histories(chat.body)), None)
    made = Proposal(
        preset=info.name,
        url=fit.base,
        stream=fit.stream,
        params={name: value for name, value in (fit.params | where_answers_come(chat)).items() if name in info.params},
        overrides={"request": request} if request else {},
        reason=f"the preset {info.name} ({info.title}) fits: path, request"
        + (" and answer" if fit.reading is not None else UNCHECKED),
        message=fit.message or (talk.last_text if talk is not None else "") or message_of(chat),
        unsure=[*chat.unsure],
    )
    if talk is not None and talk.has_system:
        made.unsure.append("the recorded system message is left to the scenario, which gives its own")
    if fit.missing:
        made.unsure.append(f"the preset also sends {', '.join(fit.missing)}, which the recorded request did not")
    if left := sorted(fit.left - fit.params.keys()):
        made.unsure.append(f"it depends on the params {', '.join(left)} where the message stands: see probe --presets")
    if fit.reading is None:
        made.unsure.append(f"the preset {info.name} was chosen by the request alone")
    return made


def _name_secrets(made: Proposal, secrets: Secrets, named: dict[str, str]) -> None:
    """Give the secrets the names that the preset has for them (`named`), and keep those that the proposal uses."""
    names: dict[str, str] = {}
    for found in secrets.values:
        wanted = named.get(found) or (f"{found}_other" if found in named.values() else found)
        names[found] = wanted if wanted not in names.values() else f"{wanted}_{len(names)}"
    text = orjson.dumps(made.overrides).decode()
    made.overrides = orjson.loads(_SECRET.sub(lambda match: f"secret.{names.get(match[1], match[1])} }}}}", text))
    used = _names_in(made)
    for found, value in secrets.values.items():
        if names[found] in used:
            made.secrets[names[found]] = "" if _PLACEHOLDER.search(value) else value


def _names_in(made: Proposal) -> set[str]:
    preset = load_preset(made.preset)
    if made.stream:
        preset = merge(preset, preset["stream"])
    return set(named_secrets(merge(preset, made.overrides)))


def _after(chat: Exchange, exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
    """What was recorded after the chat's request: one that has several is answered by the last of them."""
    numbers = [number for number, one in enumerate(exchanges) if one is chat]
    return exchanges[numbers[0] + 1 :][:FOLLOWING] if numbers else ()


def _spec(made: Proposal) -> TargetSpec:
    """Raises SpecError."""
    spec = build_target_spec(
        name="learned", **made.target(), secrets=dict.fromkeys(made.secrets, "not the recorded one")
    )
    CompiledTarget(spec)
    return spec


def _verify(made: Proposal, answers: Sequence[Answer | None]) -> None:
    """Whether the proposal makes a target, and what it reads in the recorded answer, the first of `answers`."""
    try:
        spec = _spec(made)
    except SpecError as exc:
        made.untold.append(f"how to make a target of it: {exc}")
        return
    if spec.then:
        _read_later(made, [one for one in answers[1:] if one is not None and one.fine and one.events])
        return
    answer = answers[0]
    if answer is None or not answer.fine or not answer.events or any("text is" in one for one in made.untold):
        return
    made.reading = replay(spec, answer)
    if made.reading.cut_off:
        made.unsure.append(f"the recorded answer has no end: {made.reading.error}")
    elif made.reading.error:
        made.untold.append(f"how to read the answer: {made.reading.error}")
    elif made.expected and made.reading.text.strip() != made.expected.strip():
        made.unsure.append("the mapping reads another text than the recorded pieces have: compare them")


def _read_later(made: Proposal, answers: Sequence[Answer]) -> None:
    """Of a turn of several requests, whose first one is the same whether its answer is streamed or not."""
    streams = [made.stream, not made.stream] if "stream" in load_preset(made.preset) else [made.stream]
    for stream in streams:
        spec = _spec(replace(made, stream=stream))
        for answer in answers:
            if (reading := replay(spec, answer)).text and not reading.error:
                made.stream, made.reading = stream, reading
                made.reason = made.reason.replace(UNCHECKED, " and answer")
                made.unsure = [one for one in made.unsure if not one.endswith("was chosen by the request alone")]
                return


def _check_leaks(made: Proposal, secrets: Secrets) -> None:
    """No value of a secret leaves: texts that quote one lose it, and a target must have none."""
    redact = Redactor(value for value in secrets.values.values() if len(value) >= SHORTEST)
    veiled = veil(redact)
    made.message = redact(made.message)
    made.unsure, made.untold = [*map(veiled, made.unsure)], [*map(veiled, made.untold)]
    if made.reading is not None:
        made.reading = replace(made.reading, text=veiled(made.reading.text[:SHOWN]), error=veiled(made.reading.error))
    text = orjson.dumps(made.target()).decode()
    if redact(text) != text:
        raise LearnError("a secret stands where it cannot be taken out: remove it from the input, and put *** there")
