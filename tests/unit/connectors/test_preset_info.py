"""What presets say to people is all that their templates use, no line of theirs is said twice, and the commands that
the page shows work."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.preset_info import command, preset_info
from connectors.spec import SpecError, load_preset, merge, preset_base, preset_names
from connectors.spec.presets import PRESET_DIR
from connectors.target import CompiledTarget
from tests.support.processes import ROOT
from tokenburn_site import chatbots_page
from tokenburn_site.cli.probe.options import check
from tokenburn_site.cli.request.parts import adhoc_target
from tokenburn_site.management.commands.probe import Command

PAGE = ROOT / "docs" / "chatbots.md"
COMMAND = re.compile(rf"^{re.escape(chatbots_page.PROGRAM)} (.*)$", re.MULTILINE)


def named_in(preset: str, root: str) -> set[str]:
    data = {name: part for name, part in load_preset(preset).items() if name not in {"title", "doc", "about"}}
    return set(re.findall(rf"\b{root}\.(\w+)", json.dumps(data)))


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_names_and_explains_all_its_secrets_and_params(name: str) -> None:
    info = preset_info(name)
    assert set(info.secrets) == set(info.about.secrets) & set(info.secrets) == named_in(name, "secret")
    assert set(info.params) == named_in(name, "params") | set(load_preset(name).get("params", {})) & set(info.params)
    assert set(info.needs) <= set(info.params)
    assert "NAME" not in info.needs.values(), "about.needs has an example of each"


@pytest.mark.parametrize("name", [name for name in preset_names() if preset_base(name)])
def test_each_line_of_a_preset_changes_the_one_that_it_extends(name: str) -> None:
    data = json.loads((PRESET_DIR / f"{name}.json").read_text("utf-8"))
    base = load_preset(data.pop("extends"))
    assert [path for path, rest in without_one(data) if merge(base, rest) == merge(base, data)] == []


def without_one(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The data without each of its values in turn, and where that stood."""
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from ((f"{key}.{path}", {**data, key: rest}) for path, rest in without_one(value))
        else:
            yield key, {other: data[other] for other in data if other != key}


def test_params_without_which_there_is_no_target_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_preset("openai-chat")
    data["request"]["path"] = "/{{ params.team }}/{{ params.bot | upper }}/{{ params.model }}"
    assert found(monkeypatch, data).needs == {"team": "NAME", "bot": "NAME"}


def test_a_preset_without_an_address_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"preset 'openai-chat': about\.address"):
        found(monkeypatch, load_preset("openai-chat") | {"about": {"link": "https://example.org"}})


def found(monkeypatch: pytest.MonkeyPatch, data: dict[str, Any]) -> Any:
    for module in ("connectors.preset_info", "connectors.spec.presets"):
        monkeypatch.setattr(f"{module}.load_preset", lambda name: dict(data))
    return preset_info.__wrapped__("openai-chat")


def test_each_command_of_the_page_parses_and_makes_a_target_with_the_secrets_that_it_sets() -> None:
    text = PAGE.read_text("utf-8")
    shown = COMMAND.findall(text)
    assert [shlex.split(line) for line in shown] == [command(preset_info(name)) for name in preset_names()]
    parser = Command().create_parser("manage.py", "probe")
    for section, line in zip(re.split(r"^## ", text, flags=re.MULTILINE)[1:], shown, strict=True):
        options = check(vars(parser.parse_args(shlex.split(line))))
        secrets = dict.fromkeys(map(str.lower, re.findall(r"TOKENBURN_SECRET_(\w+)=", section)), "x")
        spec = adhoc_target(options.target, secrets)
        CompiledTarget(spec)
        assert set(secrets) <= named_in(options.target.preset or "", "secret")


def test_the_page_is_what_is_generated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert chatbots_page.main(["--check"]) == 0
    monkeypatch.setattr("tokenburn_site.chatbots_page.preset_infos", lambda: [preset_info("vllm")])
    assert chatbots_page.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
