"""A probe as text for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.preset_info import PresetInfo
from metrics.number_format import counted
from plain_text.visible import visible
from targets.frame_recorder import Frame
from targets.probe_result import HandshakeStep, Probe, Request, Turn

LABEL = 13


def lines(found: Probe, preset: PresetInfo | None = None) -> Iterator[str]:
    """The result, line by line, and what the preset wants if it failed. Everything in it is redacted and without
    control characters."""
    name = "" if found.target == found.url else f"{visible(found.target)}  "
    yield _labelled("target", f"{name}{found.url}  ({found.protocol}, {found.lane} lane)")
    for number, turn in enumerate(found.turns, 1):
        yield ""
        yield f"turn {number}: {visible(turn.message)}"
        yield from _turn(turn)
    yield ""
    for step in found.goodbye:
        yield from _step("goodbye", step)
    if found.goodbye_ms:
        yield _labelled("goodbye", _times(found.goodbye_ms))
    if (error := found.goodbye_error) is not None:
        yield _labelled("error", f"{error.code}: {error.detail}")
    if found.known:
        yield from _block("saved", [f"{name} = {value}" for name, value in found.known.items()])
    if found.unassigned:
        many = counted(found.unassigned, "message belongs", "messages belong")
        what = f"{many} to no turn: unsolicited, or an answer to another question"
        yield from _block("unassigned", [what, *found.unassigned_frames])
    if found.unsolicited:
        what = f"{counted(found.unsolicited, 'message')} that no question had requested"
        yield _labelled(
            "unsolicited", f"{what}: answers may belong to other questions (see greeting, reply_to, quiet_ms)"
        )
    if preset is not None and not found.ok:
        yield from _block("preset", list(_wanted(preset)))
    failed = sum(turn.error is not None for turn in found.turns)
    yield _labelled(
        "result", "every turn was answered" if found.ok else f"{failed} of {counted(len(found.turns), 'turn')} failed"
    )


def _wanted(preset: PresetInfo) -> Iterator[str]:
    yield f"{preset.name} wants an address such as {preset.about.address}"
    if preset.secrets:
        yield f"secrets: {', '.join(f'{name} ({what})' if what else name for name, what in preset.secrets.items())}"
    if preset.needs:
        yield f"params: {', '.join(preset.needs)}"
    if preset.about.limits:
        yield f"limits: {preset.about.limits}"


def _turn(turn: Turn) -> Iterator[str]:
    if turn.handshake_ms:
        yield _labelled("handshake", _times(turn.handshake_ms))
    for step in turn.steps:
        yield from _step("step", step)
    if turn.steps_left_out:
        yield _labelled("", f"... and {counted(turn.steps_left_out, 'more request')} of the handshake")
    if turn.request is not None:
        yield from _block("request" if turn.sent else "unsent", _request(turn.request))
    for part in turn.parts:
        yield from _step("part", part)
    if turn.parts_left_out:
        yield _labelled("", f"... and {counted(turn.parts_left_out, 'more request')} of the turn")
    for sent in turn.rounds:
        yield from _block(f"round {sent.name}", _request(sent.request))
    if turn.rounds_left_out:
        yield _labelled("", f"... and {counted(turn.rounds_left_out, 'more request')} with results of tools")
    yield from _block("frames", [_frame(frame) for frame in turn.frames])
    if turn.frames_left_out:
        yield _labelled("", f"... and {turn.frames_left_out} more")
    if turn.unmatched:
        yield _labelled("unmatched", f"{turn.unmatched} of the frames, marked with ?, did not match the mapping")
    if turn.unread:
        yield _labelled("passed over", f"{turn.unread} of the frames have a text that is no part of the answer")
    if turn.sent:
        yield from _answer(turn)
    if turn.error is not None:
        error = turn.error
        yield _labelled("error", f"{error.code}: {error.detail}" if error.detail else error.code)
        if error.advice:
            yield _labelled("advice", error.advice)


def _step(kind: str, step: HandshakeStep) -> Iterator[str]:
    answer = "no answer" if step.status is None else f"-> {step.status} {step.answer}".rstrip()
    yield from _block(f"{kind} {step.name}", [*_request(step.request), answer])


def _request(request: Request) -> list[str]:
    rows = [f"{request.method or 'to'} {request.url}", *(f"{name}: {value}" for name, value in request.headers)]
    rows += [f"calls {request.event}"] if request.event else []
    rows += [request.body] if request.body else []
    return rows + ([f"packed: {request.packed}"] if request.packed is not None else [])


def _answer(turn: Turn) -> Iterator[str]:
    more = "..." if turn.text_chars > len(turn.text) else ""
    yield _labelled(
        "text",
        f"{visible(turn.text)}{more}  ({counted(turn.text_chars, 'character')} in {counted(turn.chunks, 'piece')})",
    )
    yield from _block("tool calls", turn.tool_calls)
    if turn.reasoning_chars:
        yield _labelled("reasoning", counted(turn.reasoning_chars, "character"))
    yield _labelled("times", _times(turn.times_ms))
    told = [f"{n} {name}" for n, name in ((turn.tokens_in, "in"), (turn.tokens_out, "out")) if n is not None]
    untold = "not reported for every answer of the turn" if turn.rounds else "none reported by the target"
    yield _labelled("tokens", ", ".join(told) or untold)
    yield _labelled("bytes", f"{turn.bytes_out} out, {turn.bytes_in} in")
    yield from _block("note", turn.notes)
    if turn.saved:
        yield from _block("saves", [f"{name} = {value}" for name, value in turn.saved.items()])


def _frame(frame: Frame) -> str:
    gave = ", ".join(frame.gave) or "?"
    note = f" ({frame.note})" if frame.note else ""
    named = f"{frame.name}: " if frame.name else ""
    text = frame.data if frame.decoded is None else f"{frame.decoded}  <- {frame.data}"
    return f"{frame.at_ms:>10.3f} ms {frame.size:>7} B  {gave + note:<14}  {named}{text}"


def _times(times: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {ms:.3f} ms" for name, ms in times.items()) or "none"


def _block(label: str, rows: list[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield _labelled("" if number else label, row)


def _labelled(label: str, text: str) -> str:
    return f"{label + ' ':<{LABEL}}{text}".rstrip()
