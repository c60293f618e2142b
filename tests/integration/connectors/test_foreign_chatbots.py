"""Presets against servers of other makers' libraries: 50 conversations of three turns on the load lane and one on the
reference lane. Every text is the one that the server wrote down, and the server got every message and history as it was
said (tests/peers/ has the servers, a few lines each). A probe needs no more than address, preset and one param."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop

from connectors.errors import TurnError
from connectors.registry import Lane, connector_class
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from tests.integration.connectors.foreign_tools import AGENTS, check_results
from tests.integration.connectors.lanes import LANES, Client, wait
from tests.peers import node
from tests.support.foreign.attached import check_attachments
from tests.support.foreign.chats import ForeignChat, check_learned, foreign_chats
from tests.support.foreign.first_probes import FirstProbe, check_first_probe, first_probes
from tests.support.foreign.peers import Peer, commanded, served
from tests.support.processes import ROOT
from tests.support.services import reserve_port
from tokenburn_site.local.process_groups import ProcessGroups

CONVERSATIONS, TURNS = 50, 3


class Shape(NamedTuple):
    """How a preset is used: below which path, and with at most one param beside the address. `counted`: it tells how
    much was said; a server here counts letters for tokens. `stateless`: it knows nothing of earlier turns. `http2`: on
    the load lane alone. `conversations`: fewer where each turn waits for a queue. `polling`: of Socket.IO. `secrets`:
    its keys."""

    preset: str
    path: str
    stream: bool = False
    params: dict[str, Any] = {}
    counted: bool = False
    stateless: bool = False
    http2: bool = False
    conversations: int = CONVERSATIONS
    polling: bool = False
    secrets: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.preset}{' streamed' * self.stream}{' by http2' * self.http2}{' polling' * self.polling}"

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return ("load",) if self.http2 else LANES

    def url(self, peer: Peer) -> str:
        return f"http://127.0.0.1:{peer.port}{self.path}"

    def spec(self, peer: Peer) -> TargetSpec:
        assert len(self.params) <= 1
        overrides: dict[str, Any] = {"http": {"version": "2"}} if self.http2 else {}
        if self.polling:
            overrides["socketio"] = {"transport": "polling"}
        return build_target_spec(
            name="peer",
            url=self.url(peer),
            preset=self.preset,
            stream=self.stream,
            params=self.params,
            secrets=self.secrets,
            overrides=overrides,
        )


AMAZON: dict[str, Any] = {
    "params": {"region": "eu-central-1"},
    "secrets": {
        "access_key_id": "AKIDPEER",
        "secret_access_key": "secret+of/the=peer",
        "session_token": "token/of+the=session",
    },
}
SHAPES: dict[str, list[Shape]] = {
    "amazon": [
        Shape("bedrock-converse", "", **AMAZON),
        Shape("bedrock-converse", "", stream=True, **AMAZON),
        Shape("amazon-lex", "/bots/B1/botAliases/A1", **AMAZON),
    ],
    "ai": [Shape("ai-sdk", "/api/chat", counted=True), Shape("ai-sdk-text", "/api/text")],
    "mcp": [Shape("mcp-stateless", "/mcp", stateless=True)],
    "socketio2": [
        Shape("generic-socketio", ""),
        Shape("generic-socketio", "", stream=True),
        Shape("generic-socketio", "", stream=True, polling=True),
    ],
    "socketio4": [
        Shape("generic-socketio", "", polling=True),
        Shape("generic-socketio", "", stream=True, polling=True),
    ],
    "graphql": [Shape("graphql-ws", "/graphql")],
    "stomp": [Shape("stomp", "/ws", params={"answers": "/queue/{session}"})],
    "signalr": [
        Shape("signalr", "/hub", params={"method": "ask"}),
        Shape("signalr", "/hub", stream=True, params={"method": "recite"}),
    ],
    "langgraph": [Shape("langgraph", "", conversations=10), Shape("langgraph", "", stream=True)],
    "gradio": [Shape("gradio", "")],
    "agents": [
        Shape("ag-ui", "/ag-ui"),
        Shape("ag-ui", "/ag-ui", http2=True),
        Shape("ai-sdk", "/api/chat"),
        Shape("a2a", "/a2a"),
        Shape("a2a", "/a2a", stream=True),
        Shape("a2a-0.3", "/a2a"),
        Shape("a2a-0.3", "/a2a", stream=True),
        Shape("mcp", "/mcp"),
        Shape("langserve", "/langserve/chat"),
        Shape("langserve", "/langserve/chat", stream=True),
    ],
}
"""By server; "agents" is a process with pydantic-ai, a2a-sdk, mcp and LangServe, behind hypercorn."""
CASES = [pytest.param(server, shape, id=f"{server}-{shape}") for server, shapes in SHAPES.items() for shape in shapes]
FAILURES = {
    ("bedrock-converse", False): ("http_424", "the model is asleep"),
    ("amazon-lex", False): ("http_424", "the model is asleep"),
    ("langserve", False): ("http_500", "Internal Server Error"),
    ("langserve", True): ("target_error", ""),
    ("ai-sdk-text", False): ("answer_empty", ""),
}
"""How a failing model is told, where it is not by its own words."""


class Peers:
    """Each server is started when it is first asked for."""

    def __init__(self, family: ProcessGroups, folder: Callable[[str], Path], running: ExitStack) -> None:
        self._family = family
        self._folder = folder
        self._running = running
        self._started: dict[str, Peer] = {}

    def __getitem__(self, server: str) -> Peer:
        if server not in self._started:
            self._started[server] = self._running.enter_context(self._starting(server, self._folder(server)))
        return self._started[server]

    def _starting(self, server: str, directory: Path) -> AbstractContextManager[Peer]:
        if server in COMMANDED:
            return COMMANDED[server](self._family, directory)
        if server in MODULES:
            return served(self._family, directory, server, python(), "-m", f"tests.peers.agents.{MODULES[server]}")
        node.modules()
        if server in SOCKETIO:
            program, more = node.HERE / "generic_socketio.js", (SOCKETIO[server],)
            return served(self._family, directory, server, node.node(), program, more=more)
        return served(self._family, directory, server, node.node(), node.HERE / f"{server}.js")


@pytest.fixture(scope="module")
def peers(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    with ExitStack() as running:
        yield Peers(family, tmp_path_factory.mktemp, running)


def python() -> Path:
    program = node.PEERS_VENV / "bin" / "python"
    assert program.is_file(), f"{program} is missing: run `make setup-peers`"
    return program


@contextmanager
def gradio_app(family: ProcessGroups, directory: Path) -> Iterator[Peer]:
    port = reserve_port()
    more = {"PYTHONPATH": str(ROOT), "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    argv = (python(), "-m", "tests.peers.agents.gradio_app")
    with commanded(family, directory, "gradio", port, *argv, more=more) as peer:
        yield peer


@contextmanager
def langgraph_dev(family: ProcessGroups, directory: Path) -> Iterator[Peer]:
    """It keeps its state in the folder of the app, which is therefore a copy."""
    port, program = reserve_port(), node.PEERS_VENV / "bin" / "langgraph"
    shutil.copytree(ROOT / "tests/peers/langgraph_dev", directory, dirs_exist_ok=True)
    argv = [program, "dev", "--port", port, "--no-browser", "--no-reload", "--n-jobs-per-worker", CONVERSATIONS]
    more = {"PYTHONPATH": str(ROOT), "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
    with commanded(family, directory, "langgraph", port, *argv, more=more) as peer:
        yield peer


MODULES = {"agents": "server", "signalr": "signalr_hub"}
"""Servers in Python, by their modules; the others run on node, unless they are started by commands of their own."""
SOCKETIO = {"socketio2": "socket.io-2", "socketio4": "socket.io"}
"""Versions of one server, by their packages."""
COMMANDED = {"gradio": gradio_app, "langgraph": langgraph_dev}


class Said(NamedTuple):
    message: str
    text: str
    history: list[str]
    tokens_in: int | None


async def converse(lane: Lane, target: CompiledTarget, name: str) -> list[Said]:
    """One conversation, with its history, as the engine holds one."""
    connector = connector_class(target.spec.protocol, lane)(target, allow_private=True)
    connector.begin({"id": name, "number": 0, "user": 0})
    messages: list[dict[str, str]] = []
    said = []
    for turn in range(TURNS):
        message = f"{name} \U0001f600 asks {turn}"
        history, messages = messages, [*messages, {"role": "user", "content": message}]
        if not connector.ready:
            await wait(connector.connect())
        context = {"message": message, "messages": messages, "history": history, "turn": turn, "vars": {}}
        request, timeline = connector.render(context), connector.timeline(time.monotonic_ns())
        await wait(connector.send_message(request, timeline))
        connector.finish_turn(timeline)
        said.append(Said(message, timeline.text, [one["content"] for one in history], timeline.tokens_in))
        messages = [*messages, {"role": "assistant", "content": timeline.text}]
    await wait(connector.disconnect())
    return said


async def many(target: CompiledTarget, name: str, number: int) -> list[Said]:
    found = await asyncio.gather(*(converse("load", target, f"{name}.{at}") for at in range(number)))
    return [turn for turns in found for turn in turns]


@pytest.mark.parametrize(("server", "shape"), CASES)
def test_every_text_is_the_one_it_sent_and_every_message_the_one_it_got(
    peers: Peers, server: str, shape: Shape
) -> None:
    peer = peers[server]
    target = CompiledTarget(shape.spec(peer))
    said = uvloop.run(many(target, f"[{shape}] load", shape.conversations))
    said += uvloop.run(converse(shape.lanes[-1], target, f"[{shape}] {shape.lanes[-1]} alone"))
    assert len(said) == (shape.conversations + 1) * TURNS
    got = peer.entries(f"[{shape}]")
    assert sorted((turn.message, turn.text) for turn in said) == sorted((one["message"], one["text"]) for one in got)
    counts = ["1"] * TURNS if shape.stateless else ["1", "2", "3"]
    assert [turn.text.partition(":")[0] for turn in said] == counts * (shape.conversations + 1)
    expected = {turn.message: turn.history for turn in said}
    assert [one["history"] for one in got if "history" in one] == [
        expected[one["message"]] for one in got if "history" in one
    ]
    if shape.counted:
        assert [turn.tokens_in for turn in said] == [len(turn.message.encode("utf-16-le")) // 2 for turn in said]
    check_attachments(server, target.spec, peer, shape.lanes, f"{shape} attached")


@pytest.mark.parametrize(("server", "shape"), CASES)
def test_a_failing_model_has_its_code_and_its_words_on_both_lanes(peers: Peers, server: str, shape: Shape) -> None:
    code, words = FAILURES.get((shape.preset, shape.stream), ("target_error", "the model is asleep"))
    for lane in shape.lanes:
        with Client(lane, shape.spec(peers[server])) as client:
            client.say("before")
            turn = client.say("fail")
        assert (lane, turn.code) == (lane, code), turn.error
        assert isinstance(turn.error, TurnError)
        assert words in turn.error.detail


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("server", AGENTS)
def test_an_agent_gets_the_results_of_its_tools(peers: Peers, server: str, lane: Lane) -> None:
    check_results(server, peers[server], lane)


@pytest.mark.django_db
@pytest.mark.parametrize("one", first_probes(*SHAPES), ids=str)
def test_a_probe_succeeds_with_address_and_preset_and_at_most_one_option(
    peers: Peers,
    one: FirstProbe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secrets = {server: shape.secrets for server, shapes in SHAPES.items() for shape in shapes}
    check_first_probe(one, peers[one.server], tmp_path, secrets.get(one.server, {}), monkeypatch, capsys)


def test_each_preset_has_its_first_probe() -> None:
    asked = {(one.server, one.options.split()[1]) for one in first_probes(*SHAPES)}
    assert asked == {
        (server, shape.preset) for server, shapes in SHAPES.items() for shape in shapes if not shape.polling
    }


@pytest.mark.django_db
@pytest.mark.parametrize("chat", foreign_chats(*SHAPES), ids=str)
def test_what_is_learned_from_a_recording_talks_to_the_server(
    peers: Peers, chat: ForeignChat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_learned(chat, peers[chat.server], tmp_path, capsys)
