"""What a target said stays one line of a Slack message, without links, mentions or control characters."""

from __future__ import annotations

import re

import orjson
import pytest

from runs.models import RunStatus, Webhook, WebhookDelivery
from runs.webhooks.payload import message, slack
from tests.integration.web import made_up
from tests.support.processes import ROOT

HOSTILE = "x\n*Verdict: trusted* <!channel> https://evil.example \x1b[2J\u202ey"


def test_a_reason_forges_no_line_and_becomes_no_link() -> None:
    run = {"id": 1, "name": HOSTILE, "status": "failed", "reason": HOSTILE, "target": HOSTILE}
    facts = {
        "run": run,
        "ok": False,
        "thresholds": [],
        "verdict": {"trusted": False, "reasons": []},
        "turns": {"sent": 1, "ok": 0},
        "metrics": {},
        "schedule": None,
        "links": {"report": "https://burn.example/runs/1/report/"},
    }
    sent = slack(facts)
    body = sent["blocks"][0]["text"]
    assert body["verbatim"] is True
    assert len(body["text"].split("\n")) == 4 and body["text"].endswith("<https://burn.example/runs/1/report/|Report>")
    assert "\n" not in sent["text"]
    for raw in ("\x1b", "\u202e", "<!channel>"):
        assert raw not in orjson.dumps(sent).decode()


@pytest.mark.django_db
def test_the_page_lists_the_keys_of_a_message() -> None:
    run = made_up.run(RunStatus.COMPLETED)
    sent = orjson.loads(message(WebhookDelivery(webhook=Webhook(name="ops", kind="json"), run=run)))
    page = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
    listed = dict(
        re.findall(r"^(\w+) *(.*)$", page.split("a POST with these keys:\n\n```\n")[1].split("```")[0], re.MULTILINE)
    )
    assert list(listed) == list(sent)
    for part in ("run", "verdict", "links"):
        assert listed[part] == f"{{{','.join(sent[part])}}}"
