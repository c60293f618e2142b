"""Servers of other makers, driven by the engine: every turn of every session is ok, and every text is the one that the
server wrote down when it sent it (tests/peers/ has the servers, a few lines each; the libraries are real)."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.spec import TargetSpec, build_target_spec, parse_target_spec
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus
from runs.supervisor.local import run_local
from tests.integration.connectors.lanes import LANES, Client
from tests.peers import node
from tests.support.foreign.chats import check_learned, foreign_chats
from tests.support.foreign.first_probes import check_first_probe, first_probes
from tests.support.foreign.peers import Peer, commanded, served
from tests.support.processes import ROOT
from tests.support.runs import a_run, talk
from tests.support.services import reserve_port
from tokenburn_site.local.process_groups import ProcessGroups

SpecFor = Callable[[int], TargetSpec]
SESSIONS, USERS, TURNS = 50, 10, 3
SCENARIO = talk(*(f"{{{{ session.id }}}} asks {turn}" for turn in range(1, TURNS + 1)))
API_KEY, PASSPHRASE = "nuc-api-key-31415", "a passphrase of many words"
SECRETS = {"nuc": (API_KEY, PASSPHRASE)}
"""By server: what it is told on its command line."""
KNOWN_SECRETS = {"api_key": API_KEY, "passphrase": PASSPHRASE, "studio_key": "studio-key", "desk_token": "desk-token"}
"""Of all servers, as the environment has them."""
PATIENCE = {"connect": 10, "first_byte": 10, "idle": 10, "total": 20}


@contextmanager
def chainlit(family: ProcessGroups, directory: Path) -> Iterator[Peer]:
    program = node.PEERS_VENV / "bin" / "chainlit"
    assert program.is_file(), f"{program} is missing: run `make setup-peers`"
    port = reserve_port()
    more = {"PYTHONPATH": str(ROOT), "CHAINLIT_APP_ROOT": str(directory)}
    argv = [program, "run", ROOT / "tests/peers/chainlit_app.py", "--headless", "--host", "127.0.0.1", "--port", port]
    with commanded(family, directory, "chainlit", port, *argv, more=more) as peer:
        yield peer


@contextmanager
def serving(server: str, family: ProcessGroups, directory: Path) -> Iterator[Peer]:
    """One of our few lines on somebody else's library."""
    if server == "chainlit":
        peer = chainlit(family, directory)
    elif server == "grpcio":
        peer = served(family, directory, server, sys.executable, "-m", "tests.peers.grpc_server")
    else:
        node.modules()
        more = SECRETS.get(server, ())
        peer = served(family, directory, server, node.node(), node.HERE / f"{server}.js", more=more)
    with peer as running:
        yield running


def talksy(port: int, *, stream: bool) -> TargetSpec:
    return build_target_spec(name="talksy", url=f"http://127.0.0.1:{port}", preset="talksy", stream=stream)


def desk(port: int) -> TargetSpec:
    """A namespace of its own, several arguments, and the answer as an acknowledgement."""
    return parse_target_spec(
        {
            "name": "desk",
            "protocol": "socketio",
            "url": f"http://127.0.0.1:{port}",
            "socketio": {"namespace": "/desk", "ack": True, "auth": {"token": "{{ secret.desk_token }}"}},
            "request": {"event": "ask", "body": ["{{ message }}", "room-{{ turn }}"]},
            "response": {"text": "data.answer.text"},
            "secrets": {"desk_token": "desk-token"},
        }
    )


def nuc(port: int) -> TargetSpec:
    return build_target_spec(
        name="nuc",
        url=f"ws://127.0.0.1:{port}",
        preset="nuc",
        params={"course_id": "MED1060"},
        secrets={"api_key": API_KEY, "passphrase": PASSPHRASE},
    )


def studio(port: int, method: str, *, uploaded: bool = False) -> TargetSpec:
    """The contract of atelier.proto: found by reflection, or from the file as a user uploads it."""
    proto = (node.HERE / "atelier.proto").read_text("utf-8") if uploaded else None
    transcript = "{{ messages | shaped({'speaker': {'handle': '$role', 'mood': 'MOOD_KEEN'}, 'body': '$content'}) }}"
    answer: dict[str, Any] = {"text": "spoken.body"}
    if method != "Reply":
        usage = {"input": "tally.counters.read", "output": "tally.counters.spoken"}
        answer = {"delta": "spoken.body", "usage": usage, "done": {"path": "tally"}}
    return parse_target_spec(
        {
            "name": "studio",
            "protocol": "grpc",
            "url": f"grpc://127.0.0.1:{port}",
            "grpc": {"method": f"peers.atelier.v2.Studio/{method}", "proto": proto},
            "request": {
                "headers": {"x-studio-key": "{{ secret.studio_key }}"},
                "body": {
                    "thread_key": "{{ session.id }}",
                    "transcript": transcript,
                    "labels": {"origin": "load-test"},
                    "warmth": 0.5,
                },
            },
            "response": answer,
            "secrets": {"studio_key": "studio-key"},
        }
    )


def lit(port: int, *, stream: bool) -> TargetSpec:
    return build_target_spec(name="chainlit", url=f"http://127.0.0.1:{port}", preset="chainlit", stream=stream)


def completions(port: int, *, stream: bool) -> TargetSpec:
    return build_target_spec(
        name="http2",
        url=f"http://127.0.0.1:{port}/v1",
        preset="openai-chat",
        stream=stream,
        secrets={"api_key": "key"},
        overrides={"http": {"version": "2", "streams_per_connection": 6}},
    )


METHODS: dict[str, SpecFor] = {
    method: functools.partial(studio, method=method) for method in ("Reply", "Recite", "Parley")
}
SHAPES: dict[str, dict[str, SpecFor]] = {
    "socketio": {
        "streamed": functools.partial(talksy, stream=True),
        "whole": functools.partial(talksy, stream=False),
        "acknowledged": desk,
    },
    "nuc": {"encrypted": nuc},
    "grpc": METHODS,
    "grpcio": METHODS | {"uploaded": functools.partial(studio, method="Recite", uploaded=True)},
    "http2": {
        "streamed": functools.partial(completions, stream=True),
        "whole": functools.partial(completions, stream=False),
    },
    "chainlit": {"streamed": functools.partial(lit, stream=True), "whole": functools.partial(lit, stream=False)},
}
"""By server: what it is asked for. `grpc` is @grpc/grpc-js."""
COUNTED = {
    ("socketio", "streamed"),
    ("nuc", "encrypted"),
    ("grpcio", "uploaded"),
    ("http2", "streamed"),
    ("http2", "whole"),
} | {(server, method) for server in ("grpc", "grpcio") for method in ("Recite", "Parley")}
"""What tells how much was said; a server here counts letters for tokens."""
WRONG: dict[str, list[tuple[str, SpecFor, dict[str, str]]]] = {
    "socketio": [("socketio_refused", desk, {"desk_token": "another"})],
    "nuc": [("http_403", nuc, {"api_key": "another-api-key"}), ("codec_failed", nuc, {"passphrase": "another one"})],
    "grpc": [("grpc_unauthenticated", spec_for, {"studio_key": "another"}) for spec_for in METHODS.values()],
    "grpcio": [("grpc_unauthenticated", spec_for, {"studio_key": "another"}) for spec_for in METHODS.values()],
    "http2": [("http2_internal_error", spec_for, {}) for spec_for in SHAPES["http2"].values()]
    + [("http2_refused_stream", SHAPES["http2"]["whole"], {"api_key": "another"})],
    "chainlit": [("target_error", SHAPES["chainlit"]["streamed"], {})],
}
"""By server: the code of a turn, what is asked for, and the wrong secrets that it is asked with."""


@pytest.fixture(scope="module", params=SHAPES)
def peer(
    request: pytest.FixtureRequest, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    with serving(request.param, family, tmp_path_factory.mktemp("peer")) as running:
        yield running


@pytest.mark.django_db(transaction=True)
def test_every_turn_with_a_foreign_server_is_ok_and_every_text_the_one_it_sent(peer: Peer) -> None:
    for name, spec_for in SHAPES[peer.server].items():
        spec = spec_for(peer.port)
        run = a_run(target=spec, scenarios=[(1.0, SCENARIO)], load=ClosedLoad(users=USERS, conversations=SESSIONS))
        run_local(run)
        check(run, peer, name)
        converse_on_the_reference_lane(spec, peer, name)


def check(run: Run, peer: Peer, name: str) -> None:
    turns = list(run.turns.order_by("session_id", "number"))
    failures = {(turn.code, turn.detail) for turn in turns if turn.outcome != "ok"}
    assert not failures, (name, failures)
    assert run.status == RunStatus.COMPLETED
    assert run.sessions.filter(outcome="completed", turns=TURNS).count() == SESSIONS
    assert sorted((turn.message, turn.answer) for turn in turns) == sorted(peer.sent(f"tb-{run.pk}-"))
    assert len(turns) == SESSIONS * TURNS
    if (peer.server, name) in COUNTED:
        assert [(turn.tokens_source, turn.tokens_in) for turn in turns] == [
            ("usage", len(turn.message or "")) for turn in turns
        ]
    # What the server counts in each of its conversations: no session has another one's connection or history.
    assert [str(turn.answer).partition(":")[0] for turn in turns] == ["1", "2", "3"] * SESSIONS


def converse_on_the_reference_lane(spec: TargetSpec, peer: Peer, name: str) -> None:
    """The same of the stock client libraries, for one conversation."""
    with Client("reference", spec) as client:
        found = [client.say(f"{name} by hand {turn}") for turn in range(TURNS)]
    assert [(turn.code, turn.error and turn.error.detail) for turn in found] == [(None, None)] * TURNS, name
    assert [turn.text for turn in found] == [text for _, text in peer.sent(f"{name} by hand ")]


def test_what_a_foreign_server_refuses_has_its_code_on_both_lanes(peer: Peer) -> None:
    for code, spec_for, secrets in WRONG[peer.server]:
        spec = spec_for(peer.port)
        known = {name: value.get_secret_value() for name, value in spec.secrets.items()}
        wrong = parse_target_spec(spec.frozen_dict() | {"secrets": known | secrets, "timeouts": PATIENCE})
        for lane in LANES:
            with Client(lane, wrong) as client:
                turn = client.say("fail")
            assert (lane, turn.code) == (lane, code), turn.error


@pytest.mark.django_db(transaction=True)
def test_what_is_learned_from_a_recording_talks_to_the_server(
    peer: Peer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for chat in foreign_chats(peer.server):
        if "untold" not in chat.expected:
            check_learned(chat, peer, tmp_path, capsys)


@pytest.mark.django_db(transaction=True)
def test_a_probe_succeeds_with_address_and_preset_and_at_most_one_option(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = first_probes(peer.server)
    assert commands
    for one in commands:
        check_first_probe(one, peer, tmp_path, KNOWN_SECRETS, monkeypatch, capsys)
