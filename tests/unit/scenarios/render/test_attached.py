"""Attachments of a scenario's messages: which ones go along, and what is refused before the run."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from attachments.attachment import Attachment
from attachments.generated import generated
from scenarios.definition.files import MAX_FILES_BYTES
from scenarios.definition.spec import ScenarioError
from scenarios.render.before_run import sent_kinds
from scenarios.render.walk import SayAction, Walk, check_scenario, compile_scenario

PNG = base64.b64encode(generated("png", 200, "a").data).decode()
WAV = base64.b64encode(generated("wav", 100, "a").data).decode()
FILES = {"cat": {"base64": PNG, "name": "cat.png"}, "notes": {"generate": "txt", "bytes": 50, "variants": 3}}


def scenario(*attachments: Any, rows: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    data = {"data": {"p": {"rows": rows}}} if rows else {}
    step = {"do": "say", "text": "Look", "attachments": list(attachments)}
    return {"name": "s", "files": FILES, **data, "steps": [step, {"do": "say", "text": "And?"}], **fields}


def walk_of(data: dict[str, Any], number: int = 0) -> Walk:
    return compile_scenario(check_scenario(data)).walk(random.Random(1), {"id": "s", "number": number, "user": 0})


def sent(data: dict[str, Any], number: int = 0) -> tuple[Attachment, ...]:
    action = walk_of(data, number).next_action()
    assert isinstance(action, SayAction)
    return action.attachments


def test_they_go_with_their_message_and_stay_in_the_history() -> None:
    walk = walk_of(scenario("cat", {"generate": "pdf", "bytes": 2_000, "name": "a.pdf"}))
    first = walk.next_action()
    assert isinstance(first, SayAction)
    assert [one.told for one in first.attachments] == [
        "cat.png, image/png, 200 bytes",
        "a.pdf, application/pdf, 2,000 bytes",
    ]
    walk.answer("A cat.")
    second = walk.next_action()
    assert isinstance(second, SayAction) and second.attachments == ()
    assert [message.get("attachments") for message in walk.messages] == [first.attachments, None, None]


def test_each_conversation_has_the_next_variant_and_its_own_row() -> None:
    data = scenario("notes", "{{ data.p.file }}", rows=[{"file": "cat"}, {"file": {"base64": WAV}}])
    found = [sent(data, number) for number in range(4)]
    assert [files[1].kind for files in found] == ["image", "audio", "image", "audio"]
    assert len({files[0].data for files in found}) == 3
    assert found[0][0].data == found[3][0].data


def test_what_stands_in_a_row_is_decoded_once() -> None:
    compiled = compile_scenario(check_scenario(scenario({"base64": "{{ data.p.b }}"}, rows=[{"b": PNG}])))
    found = [compiled.walk(random.Random(1), {"number": number}).next_action() for number in range(2)]
    assert isinstance(found[0], SayAction) and isinstance(found[1], SayAction)
    assert found[0].attachments[0] is found[1].attachments[0]


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (scenario(), set()),
        (scenario("cat", "notes"), {"image", "text"}),
        (scenario("{{ data.p.f }}", rows=[{"f": "cat"}, {"f": {"base64": WAV}}]), {"image", "audio", ""}),
    ],
)
def test_kinds_are_known_before_the_run(data: dict[str, Any], kinds: set[str]) -> None:
    assert sent_kinds(check_scenario(data)).keys() == kinds


def many_small() -> dict[str, Any]:
    """More files than an engine should hold, though they have few bytes."""
    made = {"generate": "txt", "bytes": 1, "variants": 1000}
    return scenario(steps=[{"do": "say", "text": "Look", "attachments": [made] * 16}] * 7)


PATH = r"a path is read only by `burn`, from a scenario's file"
OBJECT = "a template must give the name of one of `files`, or an object with `base64`"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (scenario("cut"), r"steps\[0\]\.attachments\[0\]: there is no file 'cut' .*did you mean 'cat'"),
        (scenario(5), r"steps\[0\]\.attachments\[0\]: must be the name of one of `files`"),
        (scenario(*["cat"] * 17), r"steps\[0\]\.attachments: must have at most 16 items"),
        (scenario({"generate": "gif", "bytes": 5}), "generate: must be 'png', 'wav', 'pdf' or 'txt'"),
        (scenario({"generate": "png"}), "`generate` needs `bytes`"),
        (scenario({"generate": "png", "bytes": 20_000_001}), "at most|to 20,000,000 bytes, not 20,000,001"),
        (scenario({"generate": "png", "bytes": 20_000_000, "variants": 6}), "120,000,000 bytes .*at most 100,000,000"),
        (scenario({"path": "../secret"}), PATH),
        (scenario(files={"a": {"path": "/etc/passwd"}}), PATH),
        (scenario(files={"a": {"base64": PNG, "bytes": 5}}), r"files\.a: bytes has no effect with `base64`"),
        (scenario(files={"a": {"generate": "png", "bytes": 500, "type": "x/y"}}), "type has no effect with `generate`"),
        (scenario(files={"a": {"base64": "no"}}), r"files\.a: base64: is not base64"),
        (scenario(files={"a": {"base64": PNG, "name": "a\x07.png"}}), r"files\.a: name: .*control character"),
        (
            scenario(files={"a": {"base64": PNG, "typ": "x/y"}}),
            r"files\.a\.typ: is not a known field; did you mean 'type'",
        ),
        (scenario(files={str(n): FILES["notes"] for n in range(1001)}), "files: must have at most 1000 items"),
        (many_small(), "112,000,000 bytes .*at most 100,000,000"),
        (scenario(files={"a": {}}), "give either `base64`, or `generate`"),
        (
            scenario(files={"a": {"base64": base64.b64encode(bytes(MAX_FILES_BYTES + 1)).decode()}}),
            r"10,000,001 bytes: at most 10,000,000 fit \(a has 10,000,001\)",
        ),
        (
            scenario(*[{"base64": base64.b64encode(bytes(size)).decode()} for size in (3_000_000, 7_200_000)]),
            r"files: they have 10,200,200 bytes: at most 10,000,000 fit \(steps\[0\]\.attachments\[1\] has 7,200,000\)",
        ),
        (scenario("{{ nope }}"), "'nope' is not known here"),
        (scenario("{{ data.p.f }}", rows=[{"f": "cat"}, {"f": "dog"}]), "row 2: .*there is no file 'dog'"),
        (scenario({"base64": "{{ data.p.f }}"}, rows=[{"f": PNG}, {"f": "no!"}]), "row 2: .*is not base64"),
        (scenario("{{ data.p.f }}", rows=[{"f": {"generate": "png", "bytes": 9_999}}]), f"row 1: .*{OBJECT}"),
        (scenario("{{ data.p.f }}", rows=[{"f": 5}]), f"row 1: .*{OBJECT}"),
        (scenario("{{ data.p.f }}", rows=[{"f": {"base64": PNG, "name": "a/b"}}]), "row 1: .*without a folder"),
    ],
)
def test_what_cannot_be_attached_is_refused_before_the_run(data: dict[str, Any], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        check_scenario(data)
