"""A target in a file, and the options beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.target import with_target_file

FILE: dict[str, Any] = {
    "preset": "openai-chat",
    "url": "http://127.0.0.1:1/v1",
    "params": {"model": "m", "n": 1},
    "overrides": {"timeouts": {"total": 5}},
}
NONE: dict[str, Any] = dict.fromkeys(("target", "preset", "url", "model", "params", "overrides")) | {"stream": False}


def test_what_is_given_beside_a_file_takes_the_place_of_what_is_in_it() -> None:
    alone = with_target_file({**NONE, "target_file": FILE})
    assert (alone["url"], dict(alone["params"]), alone["stream"]) == (FILE["url"], FILE["params"], False)
    beside = {"url": "http://127.0.0.1:2", "model": "x", "params": [("n", 2)], "stream": True}
    made = with_target_file({**NONE, **beside, "target_file": FILE, "overrides": {"timeouts": {"connect": 1}}})
    assert (made["preset"], made["url"], made["stream"]) == ("openai-chat", "http://127.0.0.1:2", True)
    assert (made["model"], made["params"]) == ("x", [("n", 2)])
    assert made["overrides"] == {"timeouts": {"total": 5, "connect": 1}}


@pytest.mark.parametrize("name", ["target", "preset"])
def test_a_file_is_not_one_of_two_targets(name: str) -> None:
    with pytest.raises(BadUsage, match="give one of them"):
        with_target_file({**NONE, name: "x", "target_file": FILE})
