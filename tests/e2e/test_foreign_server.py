"""A chatbot server from outside this project, through every entry point: equal figures from the command line, the
admin and the API."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.burning import Burner
from tests.e2e.test_up import Ports, running_up, wait_for
from tests.support.services import reserve_port
from tokenburn_site.local.process_groups import ProcessGroups

PASSWORD = "a password for one test"
RULES = """
version: 1
rules:
  - name: joke
    when: {messages_contain: "joke"}
    respond: {content: "Why did the load test cross the road? To see what happens on the other side."}
"""
TERMINAL = {"completed", "stopped", "aborted", "failed"}
CONVERSATIONS = 24
USERS = 4
SEED = 11
SCENARIO = {
    "name": "jokes",
    "steps": [{"do": "say", "text": "Tell me a joke"}, {"do": "say", "text": "A joke in the manner of: {{ answer }}"}],
}
LOAD = {"kind": "closed", "users": USERS, "conversations": CONVERSATIONS}


@pytest.fixture
def server(family: ProcessGroups, tmp_path: Path) -> Iterator[str]:
    """Its root address."""
    port = reserve_port()
    (tmp_path / "fakellm.yaml").write_text(RULES, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("fakellm")), "serve", "--port", str(port)]
    with (tmp_path / "fakellm.log").open("wb") as log:
        child = family.start(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: _answers(url), 30, (tmp_path / "fakellm.log").read_text)
    yield url
    family.stop(child)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/_fakellm/stats", timeout=2).ok
    except requests.RequestException:
        return False


@dataclass
class Site:
    """The web side, logged in as a person's browser is."""

    url: str
    session: requests.Session

    def call(self, method: str, path: str, **data: Any) -> Any:
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": self.url}
        answer = self.session.request(method, f"{self.url}/api/{path}", json=data or None, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def report(self, run: int) -> dict[str, Any]:
        wait_for(lambda: self.call("GET", f"runs/{run}/")["status"] in TERMINAL, 90, lambda: f"run {run} goes on")
        found: dict[str, Any] = self.call("GET", f"runs/{run}/report/")
        return found


@pytest.fixture
def site(var_dir: Path, migrated: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("TOKENBURN_ADMIN_PASSWORD", PASSWORD)
    ports = Ports(reserve_port(), reserve_port(), reserve_port())
    with running_up(ports, migrated(var_dir), is_forked=True):
        url = f"http://127.0.0.1:{ports.web}"
        session = requests.Session()
        session.get(f"{url}/admin/login/", timeout=60)
        form = {
            "username": "admin",
            "password": PASSWORD,
            "next": "/admin/",
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
        }
        landed = session.post(f"{url}/admin/login/", form, headers={"Referer": url}, timeout=60)
        assert landed.url.endswith("/admin/"), landed.text
        yield Site(url, session)


def by_api(site: Site, plan: int) -> dict[str, Any]:
    return site.report(site.call("POST", "runs/", plan=plan)["id"])


def by_admin(site: Site, plan: int) -> dict[str, Any]:
    """The action "Start a run" on the list of plans."""
    page = site.session.get(f"{site.url}/admin/runs/testplan/", timeout=60).text
    action = re.search(r'<option value="(start\w*)"', page)
    assert action is not None, page
    form = {
        "action": action[1],
        "_selected_action": str(plan),
        "csrfmiddlewaretoken": site.session.cookies["csrftoken"],
    }
    known = {run["id"] for run in site.call("GET", "runs/")["results"]}
    answer = site.session.post(
        f"{site.url}/admin/runs/testplan/", form, headers={"Referer": site.url}, timeout=60, allow_redirects=False
    )
    assert answer.status_code == 302, answer.text
    (new,) = {run["id"] for run in site.call("GET", "runs/")["results"]} - known
    return site.report(new)


def by_command(var_dir: Path, target: str) -> dict[str, Any]:
    burnt = Burner(var_dir)(
        *("--target", target, "--scenario", "jokes", "--users", str(USERS)),
        *("--conversations", str(CONVERSATIONS), "--seed", str(SEED), "--json", "-"),
    )
    assert burnt.code == 0, burnt.err
    return burnt.report()


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """What must be equal whichever door was taken; times are the machine's and the moment's."""
    counts = {name: metric["count"] for name, metric in report["metrics"].items()}
    return {
        "sessions": {key: report["sessions"][key] for key in ("started", "completed", "failed", "lost")},
        "turns": report["turns"],
        "tokens": {key: report["tokens"][key] for key in ("input", "output", "source")},
        "errors": report["errors"],
        "counts": {name: counts[name] for name in ("ttft_ms", "e2e_ms", "icl_ms", "repetition")},
    }


@pytest.mark.timeout(300)
def test_three_doors_give_equal_figures_plain_and_streamed(server: str, site: Site, var_dir: Path) -> None:
    scenario = site.call("POST", "scenarios/", name="jokes", spec=SCENARIO)["id"]
    for stream in (False, True):
        name = f"foreign-{stream}"
        target = site.call(
            "POST",
            "targets/",
            name=name,
            preset="openai-chat",
            url=f"{server}/v1",
            stream=stream,
            params={"model": "m"},
        )
        plan = site.call(
            "POST",
            "plans/",
            name=name,
            target=target["id"],
            scenarios=[{"scenario": scenario, "weight": 1}],
            load=LOAD,
            seed=SEED,
        )["id"]
        found = [figures(by_api(site, plan)), figures(by_admin(site, plan)), figures(by_command(var_dir, name))]
        assert found[0]["turns"]["ok"] == 2 * CONVERSATIONS
        assert found[0]["turns"]["sent"] == 2 * CONVERSATIONS
        assert found[0] == found[1] == found[2]
