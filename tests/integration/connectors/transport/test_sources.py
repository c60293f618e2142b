"""Connections leave from the addresses that a host gives, in turn."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from connectors.network.failures import connect_failure
from connectors.security.guard import resolve
from connectors.wire.transport.clock import ArrivalClock
from connectors.wire.transport.connecting import open_stream
from connectors.wire.transport.sources import bind_source, leave_from
from runs.load.profile import ClosedLoad
from runs.models import RunStatus
from runs.supervisor.supervisor import supervise
from tests.support.runs import a_run, shards

GIVEN = ("127.0.0.7", "127.0.0.8", "::1")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    leave_from(())


def test_connections_leave_from_the_given_addresses_in_turn() -> None:
    async def connect(times: int) -> Counter[str]:
        peers: Counter[str] = Counter()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peers[writer.get_extra_info("peername")[0]] += 1
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            addresses = resolve("127.0.0.1", server.sockets[0].getsockname()[1], True)
            for _ in range(times):
                stream = await open_stream(addresses, ArrivalClock(), {}, tls=None, server_name="")
                stream.close()
            while peers.total() < times:
                await asyncio.sleep(0.001)
        return peers

    leave_from(GIVEN)
    assert asyncio.run(connect(6)) == {"127.0.0.7": 3, "127.0.0.8": 3}
    leave_from(())
    assert asyncio.run(connect(2)) == {"127.0.0.1": 2}


def test_the_port_is_chosen_for_the_target_so_that_one_address_serves_many_targets() -> None:
    leave_from(["127.0.0.7"])
    with socket.socket() as sock:
        bind_source(sock)
        assert sock.getsockname() == ("127.0.0.7", 0)


def test_an_address_that_this_host_has_not_is_refused_by_name() -> None:
    with pytest.raises(OSError, match="192") as caught:
        leave_from(["192.0.2.1"])
    assert (caught.value.errno, caught.value.filename) == (errno.EADDRNOTAVAIL, "192.0.2.1")


def test_ports_that_are_used_up_are_no_fault_of_the_target() -> None:
    failure = connect_failure(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
    assert failure.code == "local_resources"
    assert "this host has no port left" in str(failure)
    assert "TOKENBURN_SOURCE_ADDRESSES" in failure.advice


@pytest.mark.django_db(transaction=True)
def test_a_run_with_such_an_address_fails_with_what_to_do(settings: LazySettings) -> None:
    settings.SOURCE_ADDRESSES = ("192.0.2.1",)
    run = a_run(1, ClosedLoad(users=1, conversations=1))
    assert supervise(shards(run)[0].pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "no connection can leave from 192.0.2.1" in run.reason
    assert "TOKENBURN_SOURCE_ADDRESSES" in run.reason
