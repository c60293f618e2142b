"""Every socket, opened by every role: as docs/permissions.md says."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.permissions.site import SESSIONS, session_of
from tests.integration.web.permissions.table import NO, SOCKETS, YES, lines
from tokenburn_site.asgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]
WAIT_S = 60.0


def opened(address: str, session: str) -> str:
    given = {"host": "localhost:8000", "origin": "http://localhost:8000"}
    if session:
        given["cookie"] = f"{settings.SESSION_COOKIE_NAME}={session}"
    headers = [(name.encode(), value.encode()) for name, value in given.items()]

    async def steps() -> bool:
        socket = WebsocketCommunicator(application, address, headers)
        connected, _ = await socket.connect(timeout=WAIT_S)
        await socket.disconnect()
        return bool(connected)

    return YES if async_to_sync(steps)() else NO


def test_each_role_opens_what_the_table_says() -> None:
    with transaction.atomic():
        call_command("roles", verbosity=0)
        run = made_up.run(RunStatus.RUNNING)
        sessions = {who: session_of(who) for who in SESSIONS}
    for line in lines(SOCKETS):
        address = line.route.replace("/ID/", f"/{run.pk}/")
        found = {who: opened(address, session) for who, session in sessions.items()}
        assert found == {who: line.outcomes[column] for who, column in SESSIONS.items()}, line.route
