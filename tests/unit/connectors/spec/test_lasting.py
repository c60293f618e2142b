"""Messages beside the turns' own: where they have an effect, and what they must have."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError, build_target_spec
from connectors.target import CompiledTarget

UNTIL = {"path": "type", "equals": "ok"}
BODY = {"type": "x"}


@pytest.mark.parametrize(
    ("preset", "overrides", "told"),
    [
        ("generic-json", {"hello": [{"body": BODY}]}, "hello has no effect with protocol http"),
        ("generic-json", {"keep_alive": {"every_s": 1, "body": BODY}}, "keep_alive has no effect with protocol http"),
        ("generic-split", {"goodbye": [{"body": BODY}]}, "goodbye has no effect with protocol split"),
        ("directline", {"before": [{"body": BODY}]}, "before has no effect with protocol split-websocket"),
        ("generic-grpc", {"after": [{"body": BODY}]}, "after has no effect with protocol grpc"),
        ("generic-websocket", {"hello": [{"event": "x"}]}, "hello[0].event has no effect with protocol websocket"),
        ("generic-socketio", {"after": [{"event": "a"}, {"body": BODY}]}, "after[1].event: Socket.IO emits events"),
        ("generic-socketio", {"hello": [{"event": "disconnect"}]}, "hello[0].event"),
        ("generic-websocket", {"hello": [{}]}, "hello[0]: give a message"),
        ("generic-websocket", {"hello": [{"body": BODY, "save": {"a": "b"}}]}, "`save` needs `until`"),
        ("generic-websocket", {"after": [{"until": UNTIL, "body": BODY}]}, "after[0].until"),
        ("generic-websocket", {"goodbye": [{}]}, "goodbye[0]: give the message"),
        ("generic-websocket", {"keep_alive": {"body": BODY}}, "keep_alive.every_s"),
        ("generic-websocket", {"keep_alive": {"every_s": 0.01, "body": BODY}}, "keep_alive.every_s"),
        ("generic-websocket", {"auto_replies": [{"body": BODY}]}, "auto_replies[0].when"),
        ("generic-websocket", {"hello": [{"body": "{{ nobody }}"}]}, "hello[0].body"),
        ("generic-websocket", {"hello": [{"until": {"path": "a["}}]}, "hello[0].until.path"),
        ("generic-websocket", {"hello": [{"until": UNTIL, "save": {"a": "b["}}]}, "hello[0].save.a"),
        ("generic-socketio", {"before": [{"event": "{{ secret.a }}"}]}, "before[0].event: a secret cannot stand in"),
        (
            "generic-websocket",
            {"goodbye": [{"body": "{{ secret.a }}"}], "codec": {"request": [{"name": "gzip"}]}},
            "gzip cannot pack a body with a secret",
        ),
        (
            "generic-websocket",
            {"hello": [{"body": BODY}], "handshake": {"steps": [{"name": "hello", "url": "/a"}]}},
            "a step cannot be called hello",
        ),
    ],
)
def test_a_message_without_effect_is_refused_by_its_name(preset: str, overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        CompiledTarget(build_target_spec(name="t", url="http://t.example", preset=preset, overrides=overrides))
    assert told in str(caught.value)


def test_secrets_that_only_these_messages_name_are_missed_by_their_names() -> None:
    fields = ("hello", "before", "after", "goodbye")
    overrides: dict[str, Any] = {name: [{"body": {"a": "{{ secret.in_" + name + " }}"}}] for name in fields}
    overrides["keep_alive"] = {"every_s": 1, "body": ["{{ secret.in_keep_alive }}"]}
    overrides["auto_replies"] = [{"when": UNTIL, "body": ["{{ secret.in_auto_replies }}"]}]
    spec = build_target_spec(name="t", url="http://t.example", preset="generic-websocket", overrides=overrides)
    wanted = {f"in_{name}" for name in (*fields, "keep_alive", "auto_replies")}
    assert set(CompiledTarget(spec).unset_secrets) == wanted | {"api_key"}
