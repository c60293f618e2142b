"""By somebody who has fewer rights than the deed needs, or none: pages, tasks, messages, sockets, passwords."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.e2e.red_team import rows
from tests.e2e.red_team.attacker import Attacker, until_closed
from tests.e2e.red_team.site import Site


def take_what_is_not_ones_own(site: Site, mallory: Attacker) -> None:
    for path in ("plans/1/", "runs/", "runs/1/", "schedules/", "webhooks/", "scenarios/1/", "workers/"):
        assert mallory.api("GET", path).status_code in {403, 404}, path
    assert mallory.api("POST", "runs/", {"plan": site.ids["plan"]}).status_code == 403
    for path in ("/runs/1/report/", "/runs/1/turns.csv", "/admin/auth/user/", "/admin/runs/run/", "/workers/"):
        assert mallory.get(path).status_code in {302, 403, 404}, path
    with pytest.raises(Exception, match="Handshake status 40"):
        mallory.socket("/ws/runs/1/")


def switch_tasks_off(site: Site, looker: Attacker) -> None:
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


def forge_messages(site: Site) -> None:
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
    with site.broker_client() as client:
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


def stay_after_log_out(site: Site) -> None:
    other = site.user("other")
    run = other.api("POST", "runs/", {"plan": site.ids["long_plan"]}).json()["id"]
    socket = other.socket(f"/ws/runs/{run}/")
    site.user("owner").api("POST", f"runs/{run}/stop/", {})
    other.log_out()
    assert until_closed(socket) in {4000, 4403}
    assert other.get(f"/runs/{run}/live/").status_code == 302


def guess(site: Site, name: str) -> None:
    """57 passwords, and tokens: after the first few even the right one is refused."""
    guesser = Attacker(site.url)
    statuses = [guesser.log_in(name, f"guess {number}") for number in range(57)]
    assert statuses[-1] == 429 and statuses.index(429) <= 20, statuses
    assert guesser.log_in(name, rows.PASSWORD) == 429
    tokens = [guesser.ask("GET", "/api/runs/", headers={"Authorization": f"Token tb_{n:040d}"}) for n in range(60)]
    assert {answer.status_code for answer in tokens[-5:]} <= {401, 403, 429}
