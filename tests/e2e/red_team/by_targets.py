"""By somebody with rights on targets: bytes to other services, secrets, and load on the site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.red_team.attacker import Attacker
from tests.e2e.red_team.site import Site
from tests.support.servers.recording_target import RecordingTarget
from tokenburn_site.local.ports import LOOPBACK

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


def write_into_the_broker(site: Site, mallory: Attacker) -> None:
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
    with site.broker_client() as client:
        assert not client.exists("pwned")


def read_the_secret(site: Site, mallory: Attacker, elsewhere: RecordingTarget) -> None:
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


def send_the_secret_elsewhere(site: Site, friend: Attacker, elsewhere: RecordingTarget) -> None:
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


def stop_the_site(site: Site, mallory: Attacker) -> None:
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
