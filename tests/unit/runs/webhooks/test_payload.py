"""What a target said stays one line of a Slack message, without links, mentions or control characters."""

from __future__ import annotations

import orjson

from runs.webhooks.payload import slack

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
    message = slack(facts)
    body = message["blocks"][0]["text"]
    assert body["verbatim"] is True
    assert len(body["text"].split("\n")) == 4 and body["text"].endswith("<https://burn.example/runs/1/report/|Report>")
    assert "\n" not in message["text"]
    for raw in ("\x1b", "\u202e", "<!channel>"):
        assert raw not in orjson.dumps(message).decode()
