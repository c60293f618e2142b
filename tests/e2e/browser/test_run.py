"""From the login to the report, as a person does it: `manage.py up`, a browser, and nothing else."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_up import Ports, running_up
from tests.support.browser import Chrome, Watched
from tests.support.services import reserve_port

pytestmark = pytest.mark.browser
PASSWORD = "a password for one test"
SECRET = "sk-typed-once-and-never-shown"
RUN_MS = 60_000


@pytest.fixture
def site(var_dir: Path, migrated: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    monkeypatch.setenv("TOKENBURN_ADMIN_PASSWORD", PASSWORD)
    ports = Ports(reserve_port(), reserve_port(), reserve_port())
    with running_up(ports, migrated(var_dir), is_forked=True):
        yield ports


def save(page: Page, name: str = "_save") -> None:
    page.click(f"button[name={name}], input[name={name}]")
    expect(page.get_by_text(re.compile("was (added|changed) successfully"))).to_be_visible()


def choose(page: Page, field: str, text: str) -> None:
    """Pick from one of the admin's boxes that search while you type."""
    page.locator(f"#{field} + .select2 .select2-selection").click()
    page.locator(".select2-search__field").fill(text)
    page.locator(".select2-results__option", has_text=text).first.click()


def make_target(watched: Watched, url: str) -> None:
    page = watched.page
    page.goto(f"{watched.site}/admin/targets/target/add/")
    page.fill("#id_name", "My chatbot")
    page.fill("#id_url", url)
    page.check("#id_stream", force=True)
    page.fill("#id_params", '{"model": "mock"}')
    page.fill("#id_secret_name", "api_key")
    page.fill("#id_secret_value", SECRET)
    save(page, "_continue")
    expect(page.locator("div.readonly").filter(has_text=re.compile(r"^\s*api_key\s*$"))).to_be_visible()
    assert SECRET not in page.content()


def make_plan(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.site}/admin/runs/testplan/add/")
    page.fill("#id_name", "By hand")
    choose(page, "id_target", "My chatbot")
    page.fill("#id_load", '{"kind": "closed", "users": 8, "duration_s": 300}')
    page.fill("#id_thresholds", '["ttft_ms.p95<60000"]')
    page.uncheck("#id_witness")  # the target's count is to be the load's alone
    choose(page, "id_mix-0-scenario", "rapid")
    save(page, "_continue")


def tile(page: Page, label: str) -> int:
    text = page.locator(".tb-tile", has_text=re.compile(rf"{label}$")).locator("b").first.inner_text()
    return int(text.replace(",", ""))


@pytest.mark.timeout(300)
def test_from_the_login_to_the_report(chrome: Chrome, site: Ports) -> None:
    mock = f"http://127.0.0.1:{site.mock}"
    with chrome.visit(f"http://127.0.0.1:{site.web}") as watched:
        page = watched.page
        watched.log_in("admin", PASSWORD)
        make_target(watched, f"{mock}/v1")
        make_plan(watched)

        page.get_by_role("button", name="Start a run").click()
        page.wait_for_url(re.compile(r"/runs/\d+/live/"))
        expect(page.locator("#status")).to_have_text("running", timeout=RUN_MS)
        expect(page.locator("#log .tb-line").nth(10)).to_be_attached(timeout=RUN_MS)
        page.wait_for_function("Number(document.querySelectorAll('.tb-chart canvas').length) === 4")
        assert tile(page, "turns ok") > 0
        expect(page.locator("#threshold-statuses")).to_contain_text("ttft_ms.p95<60000")

        page.fill("#load-level", "3")
        page.get_by_role("button", name="Change").click()
        expect(page.locator("#load-level")).to_have_value("3")

        page.get_by_role("button", name="Stop").click()
        page.get_by_role("link", name="Read its report").click(timeout=RUN_MS)
        expect(page.locator("#status")).to_have_text("stopped")
        expect(page.locator("#thresholds")).to_contain_text("met")
        assert [change["level"] for change in json.loads(page.locator("#report-changes").inner_text())] == [3]
        expect(page.locator("#metrics")).to_contain_text("Time to first token (ms)")
        sent = tile(page, "turns sent")
        with urllib.request.urlopen(f"{mock}/__stats", timeout=10) as answer:
            stats = json.load(answer)
        assert sent > 10
        assert sent == stats["chat_requests"], stats
