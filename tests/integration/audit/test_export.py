"""Out of the log: lines, syslog, the API, the admin; and its end by age."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from django.utils import timezone

from audit import chain, syslog
from audit.models import AuditChain, AuditEvent, AuditOutlet
from audit.retention import prune
from audit.services import record
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60.0


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", *arguments, stdout=out, stderr=out)
    return out.getvalue()


class Server:
    """A syslog server for one connection: it reads to the end."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(WAIT_S)
        self.address = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self.data = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, self._listening:
            while piece := connection.recv(65536):
                self.data += piece

    def frames(self) -> list[str]:
        self._thread.join(WAIT_S)
        rest, found = self.data, []
        while rest:
            size, _, rest = rest.partition(b" ")
            found.append(rest[: int(size)].decode())
            rest = rest[int(size) :]
        return found


def test_lines_are_json_in_the_order_of_the_chain() -> None:
    for number in range(3):
        record("run.start", on=("run", number, "\x1b[31mred"), details={"number": number})
    lines = [json.loads(line) for line in run("--jsonl").splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert lines[2]["details"] == {"number": 2} and lines[2]["digest"] == AuditChain.objects.get().digest
    assert "\x1b" not in run("--jsonl")
    assert [json.loads(line)["key"] for line in run("--jsonl", "--since", "2").splitlines()] == ["2"]
    assert run("--jsonl", "--since", "2001-01-01").count("\n") == 3
    assert run("--jsonl", "--since", f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%MZ}") == ""
    with pytest.raises(CommandError, match="--since soon"):
        run("--jsonl", "--since", "soon")


@pytest.mark.usefixtures("any_database")
def test_far_times_and_numbers_have_a_place_or_are_refused_in_one_line() -> None:
    record("a")
    for since in ("0001-01-01", "0001-01-01T00:00Z", "0001-01-01T00:00-23:59"):
        assert run("--jsonl", "--since", since).count("\n") == 1, since
    for since in ("9999-12-31", "9999-12-31T23:59:59.999999+23:59", "9" * 18):
        assert run("--jsonl", "--since", since) == "", since
    for arguments in (
        *(("--jsonl", "--since", since) for since in ("0001-01-01T00:00+00:01", "9999-12-31T23:59:59-00:01")),
        *(("--jsonl", "--since", since) for since in ("0000-01-01", "2026-11-01T12:00+25:00", "9" * 19, "9" * 5000)),
        ("--verify", "--expect", f"{'9' * 5000}:{'f' * 64}"),
        *(("--prune", days) for days in ("0", "800000", "9" * 30)),
    ):
        with pytest.raises(CommandError, match=f"^{arguments[-2]} {re.escape(arguments[-1])}: [^\n]+$"):
            run(*arguments)


def test_who_follows_from_a_time_without_events_gets_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    record("old")
    since = (timezone.now() + timedelta(milliseconds=1)).isoformat()
    turns = iter([lambda: record("new"), raise_interrupt])
    monkeypatch.setattr(time, "sleep", lambda _: next(turns)())
    assert [json.loads(line)["action"] for line in run("--jsonl", "--follow", "--since", since).splitlines()] == ["new"]


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def test_a_whole_log_is_verified_and_a_noted_end_is_found() -> None:
    record("a")
    noted = str(AuditChain.objects.get())
    record("b")
    assert "2 events, whole" in run("--verify", "--expect", noted)
    with pytest.raises(CommandError):
        run("--verify", "--expect", f"1:{'f' * 64}")
    AuditChain.objects.update(pruning=2)
    models.QuerySet(AuditEvent).filter(sequence=2)._raw_delete("default")
    with pytest.raises(CommandError) as failed:
        run("--verify")
    assert failed.value.returncode == 1


@pytest.mark.usefixtures("any_database")
def test_old_events_are_deleted_with_a_record_and_the_rest_is_whole() -> None:
    AuditEvent(action="old", at=timezone.now() - timedelta(days=40)).save()
    AuditEvent(action="older, but after", at=timezone.now() - timedelta(days=50)).save()
    record("young")
    noted = AuditEvent.objects.get(action="older, but after").digest
    assert prune(30) == 2
    assert [event.action for event in AuditEvent.objects.order_by("id")] == ["young", "audit.prune"]
    assert list(chain.problems()) == []
    chain_row = AuditChain.objects.get()
    assert (chain_row.first_sequence, chain_row.first_digest) == (2, noted)
    assert prune(30) == 0
    assert AuditChain.objects.get().pruning == 0


def test_syslog_gets_each_event_once_in_counted_frames(settings: Any) -> None:
    for number in range(3):
        record("login", outcome="done" if number else "refused")
    server = Server()
    settings.AUDIT_SYSLOG = server.address
    assert run("--send") == "3 events sent\n"
    frames = server.frames()
    assert len(frames) == 3
    assert frames[0].startswith("<108>1 20") and frames[1].startswith("<109>1 20")
    assert json.loads(frames[2].split(" audit - ", 1)[1])["sequence"] == 3
    assert AuditOutlet.objects.get().position == 3
    assert run("--send") == "0 events sent\n", "nothing new, so no connection"


def test_what_a_dead_server_missed_is_sent_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    record("a")
    with pytest.raises(OSError):
        syslog.send_new(f"tcp://127.0.0.1:{port}")
    outlet = AuditOutlet.objects.get()
    assert outlet.position == 0 and "refused" in outlet.problem
    record("b")
    server = Server()
    AuditOutlet.objects.update(name=server.address)
    assert syslog.send_new(server.address) == 2
    assert len(server.frames()) == 2
    assert AuditOutlet.objects.get().problem == ""


def test_udp_and_local_sockets(tmp_path: Any) -> None:
    record("a")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix,
    ):
        for receiver, where in ((udp, ("127.0.0.1", 0)), (unix, str(tmp_path / "log"))):
            receiver.settimeout(WAIT_S)
            receiver.bind(where)
        assert syslog.send_new(f"udp://127.0.0.1:{udp.getsockname()[1]}") == 1
        assert syslog.send_new(f"unix://{tmp_path}/log") == 1
        for receiver in (udp, unix):
            assert b" token-burn " in receiver.recv(65536)


WRONG = [
    "http://x",
    "tcp://",
    "tls://x:99999",
    "logs.example",
    "unix:",
    "tcp://a..b:5",
    f"tcp://{'a' * 64}:5",
    "tcp://\u2100.x:1",
]


@pytest.mark.parametrize("address", WRONG)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(syslog.BadAddress, match="tls://HOST"):
        syslog.check(address)


def test_the_api_needs_a_right_of_its_own() -> None:
    record("run.start", details={"users": 5})
    client = Client()
    client.force_login(made_up.user("runs.view_run"))
    assert client.get("/api/audit/").status_code == 403
    client.force_login(made_up.user("audit.view_auditevent"))
    (event,) = client.get("/api/audit/?action=run.start").json()["results"]
    assert event["details"] == {"users": 5} and event["sequence"] == 1
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)("/api/audit/").status_code in {403, 405}


@pytest.mark.parametrize(("door", "words"), [("api", "API"), ("cli", "Command line"), ("page", "Page")])
def test_the_admin_names_doors_in_words(door: str, words: str) -> None:
    record("run.start", door=door)
    client = Client()
    client.force_login(made_up.user(superuser=True))
    listed = client.get("/admin/audit/auditevent/?door__exact=" + door).content.decode()
    assert re.search(rf"field-door[^>]*>\s*{words}\s*<", listed)


def test_the_admin_shows_and_changes_nothing() -> None:
    event = record("run.start")
    client = Client()
    client.force_login(made_up.user(superuser=True))
    assert b"run.start" in client.get("/admin/audit/auditevent/").content
    path = f"/admin/audit/auditevent/{event.pk}/"
    assert client.get(f"{path}change/").status_code == 200
    assert client.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{path}change/", {"action": "x"}).status_code == 403
    assert client.get("/admin/audit/auditevent/add/").status_code == 403
