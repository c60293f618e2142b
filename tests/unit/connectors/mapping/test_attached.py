"""Attachments in the dialect of each preset, and in templates of a target's own."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from attachments.attachment import Attachment
from attachments.generated import generated
from connectors.errors import BadRequest
from connectors.preset_info import preset_info
from connectors.spec import SpecError, build_target_spec, preset_names
from connectors.spec.presets import load_preset
from connectors.target import CompiledTarget

MADE = {
    "image": generated("png", 200, "a"),
    "audio": generated("wav", 100, "a"),
    "text": generated("txt", 50, "a"),
    "file": generated("pdf", 1_000, "a"),
}
IMAGE = MADE["image"]
PART = {"type": "image_url", "image_url": {"url": IMAGE["data_url"]}}


def target(preset: str = "openai-chat", *, stream: bool = False, **overrides: Any) -> CompiledTarget:
    info = preset_info(preset)
    secrets = dict.fromkeys(info.secrets, "key")
    return CompiledTarget(
        build_target_spec(
            name="shop",
            url=info.about.address,
            preset=preset,
            stream=stream,
            params=info.needs,
            secrets=secrets,
            overrides=overrides,
        )
    )


def context(attached: list[Attachment], *, earlier: bool = False) -> dict[str, Any]:
    """A turn whose message has them, or one after it."""
    first = {"role": "user", "content": "Look", "attachments": tuple(attached)}
    later = [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "And?"}] if earlier else []
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Be kind."}, first, *later]
    return {
        "message": messages[-1]["content"],
        "messages": messages,
        "history": messages[:-1],
        "turn": 0,
        "vars": {},
        "session": {"id": "s"},
        "saved": {"conversation_id": "c", "token": "t"},
    }


def sent(compiled: CompiledTarget, *attached: Attachment, earlier: bool = False) -> bytes:
    """All that a turn sends."""
    turn = context([*attached], earlier=earlier)
    compiled.attach(turn, () if earlier else attached)
    bodies = [compiled.render(turn).body]
    return b"".join([*bodies, *(step.message.render(turn).body for step in compiled._before if step.message)])


PRESETS = [name for name in preset_names() if load_preset(name).get("attachments")]


def test_presets_of_the_large_dialects_take_attachments() -> None:
    wanted = {"openai-chat", "openai-responses", "anthropic-messages", "gemini", "ollama-chat", "bedrock-converse"}
    assert wanted <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sends_each_kind_that_it_takes_and_refuses_the_others(name: str) -> None:
    for stream in (False, True) if preset_info(name).streamed else (False,):
        compiled = target(name, stream=stream)
        spec = compiled.spec.attachments
        assert spec is not None
        for kind, made in MADE.items():
            assert compiled.spec.attachments_problem({kind: "steps[0]"}) == "" or kind not in spec.kinds
            if kind not in spec.kinds:
                assert f"takes no attachment of kind {kind}" in compiled.spec.attachments_problem({kind: "steps[0]"})
                with pytest.raises(BadRequest, match=f"takes no attachment of kind {kind}"):
                    sent(compiled, made)
                continue
            body = sent(compiled, made)
            as_text = orjson.dumps(made["text"])[1:-1] if kind == "text" else b""
            found = (str(made["base64"]).encode() in body, made.data in body, bool(as_text) and as_text in body)
            assert any(found), kind
            assert b"Look" in body


@pytest.mark.parametrize(
    ("preset", "parts"),
    [
        ("openai-chat", [{"type": "text", "text": "Look"}, PART]),
        (
            "openai-responses",
            [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": IMAGE["data_url"], "detail": "auto"},
            ],
        ),
        (
            "anthropic-messages",
            [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE["base64"]}},
            ],
        ),
        ("gemini", [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": IMAGE["base64"]}}]),
        (
            "bedrock-converse",
            [{"text": "Look"}, {"image": {"format": "png", "source": {"bytes": IMAGE["base64"]}}}],
        ),
        ("ollama-chat", "Look"),
    ],
)
def test_the_history_holds_attachments_as_the_dialect_wants(preset: str, parts: Any) -> None:
    for earlier in (False, True):
        body = orjson.loads(sent(target(preset), IMAGE, earlier=earlier))
        said = body.get("messages") or body.get("input") or body["contents"]
        [message] = [one for one in said if b"Look" in orjson.dumps(one)]
        assert (message.get("content") or message["parts"]) == parts
        if preset == "ollama-chat":
            assert message["images"] == [IMAGE["base64"]]
        assert all("attachments" not in one for one in said)


def test_templates_of_a_target_name_attachments_and_parts() -> None:
    body = {
        "text": "{{ message }}",
        "names": "{{ attachments | map(attribute='name') | list }}",
        "first": "data:{{ attachments[0].type }};base64,{{ attachments[0].base64 }}",
        "parts": [1, "{{ attachment_parts }}", 2],
    }
    compiled = target("generic-json", attachments={"image": {"url": "$data_url", "n": "$size"}}, request={"body": body})
    found, url = orjson.loads(sent(compiled, IMAGE)), IMAGE["data_url"]
    wanted = {"text": "Look", "names": ["generated.png"], "first": url, "parts": [1, {"url": url, "n": 200}, 2]}
    assert {name: found[name] for name in body} == wanted
    plain = context([])
    assert orjson.loads(compiled.render(plain).body)["parts"] == [1, 2]


def test_a_multipart_form_has_them_as_files() -> None:
    form = {"encoding": "multipart", "body": {"q": "{{ message }}", "files": "{{ attachments }}"}}
    body = sent(target("generic-json", request=form), IMAGE, MADE["file"])
    for made in (IMAGE, MADE["file"]):
        head = f'name="files"; filename="{made.name}"\r\nContent-Type: {made.type}\r\n\r\n'
        assert head.encode() + made.data in body


def test_the_json_of_an_attachment_is_made_once() -> None:
    compiled, turns = target(), []
    for _ in range(2):
        turns.append(context([IMAGE]))
        compiled.attach(turns[-1], [IMAGE])
    first, second = (turn["messages"][1]["content"].attached[0] for turn in turns)
    assert first is second


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"attachments": {"image": "$base65"}}, r"attachments: image: \$base65 is not known"),
        ({"attachments": {"video": {"name": "$name"}}}, "video: needs one of"),
        ({"attachments": {"image": "{{ message }} $base64"}}, "no {{ }}"),
        ({"attachments": {"message": "text"}}, r"message: needs \$message"),
        ({"attachments": {"beside": "images"}}, "message has no effect with `beside`"),
        ({"attachments": {"picture": "$base64"}}, "picture: is not a known field"),
    ],
)
def test_parts_without_effect_are_refused(overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        target(**overrides)


@pytest.mark.parametrize(
    ("preset", "overrides", "says"),
    [
        ("rasa-rest", {}, "the target 'shop' takes no attachments: give `attachments`"),
        ("openai-chat", {"request": {"body": {"messages": "{{ message }}"}}}, "names messages, history"),
        ("generic-json", {"request": {"body": {"f": "{{ attachments }}"}}}, ""),
    ],
)
def test_a_target_says_before_the_run_what_it_cannot_send(preset: str, overrides: dict[str, Any], says: str) -> None:
    problem = target(preset, **overrides).spec.attachments_problem({"": "steps[0].attachments"})
    assert says in problem and bool(says) == bool(problem)


@pytest.mark.parametrize(
    ("preset", "template", "says"),
    [
        ("openai-chat", "messages | map(attribute='content') | join(' ')", "a message with attachments is no text"),
        ("openai-chat", "messages | shaped('$role: $content') | join(' ')", "the shape has no place for attachments"),
        ("openai-chat", "messages | shaped({'a': [1], 'b': 'x $content'})", "the shape has no place for attachments"),
        ("ollama-chat", "messages | shaped({'a': ['$content']})", "`shaped` leaves out what stands beside"),
    ],
)
def test_attachments_are_never_garbled_or_left_out_in_silence(preset: str, template: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        sent(target(preset, request={"body": {"prompt": f"{{{{ {template} }}}}"}}), IMAGE)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("{'parts': [{'text': '$content'}, {'end': '$role'}]}", {"parts": [{"text": "Look"}, PART, {"end": "user"}]}),
        ("{'turns': [{'parts': [{'text': '$content'}]}]}", {"turns": [{"parts": [{"text": "Look"}, PART]}]}),
        ("{'c': '$content', 'i': '$index'}", {"c": [{"type": "text", "text": "Look"}, PART], "i": 1}),
    ],
)
def test_a_shape_has_them_behind_the_text(shape: str, wanted: Any) -> None:
    compiled = target(request={"body": {"messages": f"{{{{ messages | shaped({shape}) }}}}"}})
    assert orjson.loads(sent(compiled, IMAGE))["messages"][1] == wanted
