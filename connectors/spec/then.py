"""Requests that follow a turn's own, until the answer is there: post, poll, fetch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from connectors.spec.handshake import AskSpec
from connectors.spec.request import Method

OF_REQUEST = "request"
"""The part of a turn that is its own request."""


class ThenSpec(AskSpec):
    """One request after the turn's own. The answer to the last one is the turn's, and is read by `response`."""

    method: Method = "GET"


def check_then(then: Sequence[ThenSpec], protocol: str, one_answer: Collection[str]) -> None:
    """Raises ValueError naming what has no effect. `one_answer`: protocols in which a request has its own answer."""
    for problem in _problems(then, protocol, sorted(one_answer)) if then else ():
        raise ValueError(problem)


def _problems(then: Sequence[ThenSpec], protocol: str, one_answer: Sequence[str]) -> Iterator[str]:
    if protocol not in one_answer:
        why = f"with protocol {protocol} answers come on a connection that lasts"
        yield f"then has no effect: {why}; it is for {', '.join(one_answer)}"
    names = [part.name for part in then]
    if len({OF_REQUEST, *names}) <= len(names):
        yield f"then: each request needs a name of its own, other than {OF_REQUEST}"
    last = then[-1]
    where = f"then.{last.name}"
    if last.until is not None and protocol != "http":
        yield f"{where}.until: the answer of protocol {protocol} is a stream that is opened once: wait before it"
    if last.save and last.until is None:
        yield f"{where}.save has no effect: response.save keeps values of the turn's answer, which this one is"
    if last.read != "whole":
        yield f"{where}.read has no effect: the last answer is read as the target's protocol says"
    if last.expect:
        yield f"{where}.expect has no effect: the turn's answer has a status of 2xx"
