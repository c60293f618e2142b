"""Checks whether the target can be reached: one connection, no request, so that the target's counts stay those of the
run."""

from __future__ import annotations

import asyncio
import inspect

from django.conf import settings

from connectors.errors import TurnError
from connectors.registry import connector_class
from connectors.security.redact import Redactor
from connectors.spec import SpecError, TargetSpec
from connectors.target import CompiledTarget
from connectors.wire.base import WireConnector
from tokenburn_site.cli.errors import BadUsage, CannotRun


def check_reachable(spec: TargetSpec) -> None:
    """Connect as the engine will (name, guard, TCP, TLS) and disconnect. Raises CannotRun, BadUsage."""
    try:
        asyncio.run(_connect(spec))
    except TurnError as exc:
        raise CannotRun(_line(spec, exc)) from exc
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc


async def _connect(spec: TargetSpec) -> None:
    connector = connector_class(spec.protocol)(CompiledTarget(spec), allow_private=settings.ALLOW_PRIVATE)
    if isinstance(connector, WireConnector):
        (await connector.dial()).close()  # no handshake: its requests would be counted, and begin a conversation
        return
    try:
        await _settled(connector.connect())
    finally:
        await _settled(connector.disconnect())


async def _settled(result: object) -> None:
    """A custom connector may be synchronous: then there is nothing to await."""
    if inspect.isawaitable(result):
        await result


def _line(spec: TargetSpec, exc: TurnError) -> str:
    what = f"cannot connect to {spec.url}: {exc}"
    redact = Redactor([value.get_secret_value() for value in spec.secrets.values()])
    return redact.error(f"{what}; {exc.advice}" if exc.advice else what)
