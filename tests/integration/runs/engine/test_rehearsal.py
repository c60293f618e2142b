"""An engine that says `ready` has loaded and rehearsed what its first message needs, and the target knows nothing of
it."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from connectors.registry import connector_class
from connectors.security.tls import tls_context
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.clock import arrival_clock
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.engine.recording.ledger import Ledger
from runs.engine.rehearsal import CONVERSATIONS, PARTS, rehearse
from runs.load.profile import ClosedLoad
from scenarios.render.walk import check_scenario
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer
from tests.integration.connectors.lanes import make_spec, server_context
from tests.support.engines import sole_order
from tests.support.processes import ROOT
from tests.support.runs import talk

IMPORTED = b"import time:"


def order(target: TargetSpec, ledger: Path) -> ShardSpec:
    return sole_order(
        str(ledger),
        target=target,
        scenarios=(WeightedScenario(scenario=check_scenario(talk("one", "two"))),),
        load=ClosedLoad(users=2, conversations=4),
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("127.0.0.1", "localhost"))


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("protocol", ["http", "sse", "split", "websocket", "socketio", "grpc"])
def test_nothing_is_loaded_after_ready_and_nothing_sent_before_go(
    protocol: str, tls: ssl.SSLContext, ca_file: str, tmp_path: Path
) -> None:
    with HostileServer(GOOD[protocol], tls) as server:
        spec = order(make_spec(protocol, f"https://localhost:{server.port}", tls={"ca_file": ca_file}), tmp_path / "l")
        with subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "runs.engine"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # so that each import stands where it took place
        ) as engine:
            assert engine.stdin is not None and engine.stdout is not None
            _say(engine, spec.model_dump(mode="json") | {"target": spec.target.wire_dict()})
            before = list(_until(engine, b'{"ev":"ready"'))
            assert (server.connections, spec.target.protocol) == (0, protocol)
            _say(engine, {"cmd": "go", "start_mono_ns": time.monotonic_ns()})
            after = list(_until(engine, b'{"ev":"done"'))
    lines = [orjson.loads(line) for line in (tmp_path / "l").read_bytes().splitlines()]
    assert [line["out"] for line in lines if line["k"] == "turn"] == ["ok"] * 8
    assert sum(line.startswith(IMPORTED) for line in before) > 300
    assert [line for line in after if line.startswith(IMPORTED)] == []
    assert lines[-1]["conns"] == {"127.0.0.1": server.connections}


def _say(engine: subprocess.Popen[bytes], command: dict[str, Any]) -> None:
    assert engine.stdin is not None
    engine.stdin.write(orjson.dumps(command) + b"\n")
    engine.stdin.flush()


def _until(engine: subprocess.Popen[bytes], event: bytes) -> Iterator[bytes]:
    """What comes before the event's line."""
    assert engine.stdout is not None
    for line in engine.stdout:
        if line.startswith(event):
            return
        yield line
    raise AssertionError(f"the engine ended before {event!r}")


@pytest.mark.parametrize("protocol", sorted(PARTS))
def test_every_part_is_played_to_its_end_and_counts_nowhere(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    append = Ledger.append

    def keep(self: Ledger, line: dict[str, Any], slot: int | None = None) -> None:
        lines.append(line)
        append(self, line, slot)

    monkeypatch.setattr(Ledger, "append", keep)
    ROTA.forget()
    asyncio.run(rehearse(order(make_spec(protocol, "http://127.0.0.1:9"), tmp_path / "ledger")))
    outcomes = [line["out"] for line in lines if line["k"] == "turn"]
    assert outcomes == ["ok"] * CONVERSATIONS
    assert (sum(ROTA.connections.values()), arrival_clock().reads(), list(tmp_path.iterdir())) == (0, 0, [])


def test_an_engine_that_cannot_rehearse_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    asyncio.run(rehearse(order(make_spec("http", "http://127.0.0.1:9"), tmp_path / "ledger")))


@pytest.mark.parametrize(
    ("url", "more", "loaded"),
    [
        ("https://127.0.0.1:9", {}, 1),
        ("http://127.0.0.1:9", {}, 0),
        ("http://127.0.0.1:9", {"handshake": {"steps": [{"name": "in", "url": "https://127.0.0.1:9/in"}]}}, 1),
        ("https://127.0.0.1:9", {"tls": {"ca_file": "/absent.pem"}}, 0),  # which each turn says
    ],
)
@pytest.mark.parametrize("protocol", ["http", "websocket", "grpc"])
def test_certificates_are_loaded_before_ready(protocol: str, url: str, more: dict[str, Any], loaded: int) -> None:
    tls_context.cache_clear()
    connector_class(protocol).prepare(CompiledTarget(make_spec(protocol, url, **more)))
    assert tls_context.cache_info().currsize == loaded
