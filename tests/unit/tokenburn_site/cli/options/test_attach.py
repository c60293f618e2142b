"""--attach of burn and probe: a file, or a generated one."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from attachments.generated import generated
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.scenarios import attached_file, check_scenario

PNG = generated("png", 300, "a").data
NOTHING = dict.fromkeys(("prompt", "scenarios", "synthetic", "data", "trace", "attach"))


def test_a_file_or_a_generated_one_is_attached(tmp_path: Path) -> None:
    (tmp_path / "{{ a }}.png").write_bytes(PNG)
    found = attached_file(str(tmp_path / "{{ a }}.png")).variant(0)
    assert (found.name, found.type, found.data) == ("{{ a }}.png", "image/png", PNG)
    made = attached_file("pdf:2000").variant(0)
    assert (made.kind, len(made.data)) == ("file", 2000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("png:10", "200 to 20,000,000 bytes, not 10"),
        ("gif:500", "No such file"),
        ("/dev/zero", "not an ordinary file"),
        ("", "not an ordinary file|No such file"),
        ("none\0.png", "is not a path"),
    ],
)
def test_anything_else_is_refused_with_what_to_give(text: str, says: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"({says}).*png:200000"):
        attached_file(text)


def test_they_belong_to_a_prompt() -> None:
    file = attached_file("txt:5")
    check_scenario({**NOTHING, "prompt": "Look", "attach": (file,)})
    with pytest.raises(BadUsage, match="--attach belongs to --prompt"):
        check_scenario({**NOTHING, "scenarios": ("rapid-fire",), "attach": (file,)})
