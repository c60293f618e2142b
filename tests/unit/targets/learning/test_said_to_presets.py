"""What a request says where a preset says the message within something else."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import load_preset
from targets.learning.presets.said import message_in, params_in

TRANSCRIPT = "System: Be brief.\nUser: Which river?\nAssistant: The Danube.\nUser: And in Paris?\nWhere?\nAssistant:"


def of(preset: str, *keys: str) -> str:
    body: Any = load_preset(preset)["request"]["body"]
    for key in keys:
        body = body[key]
    return str(body).removeprefix("{{").removesuffix("}}")


@pytest.mark.parametrize(
    ("expression", "given", "message"),
    [
        (" message ", "And in Paris?", "And in Paris?"),
        (" message ", ["And in Paris?"], ""),
        (of("tgi-generate", "inputs"), TRANSCRIPT, "And in Paris?\nWhere?"),
        (of("tgi-generate", "inputs"), "And in Paris?", ""),
        (of("mcp", "params", "arguments"), {"tone": "kind", "question": "And in Paris?"}, "And in Paris?"),
        (of("mcp", "params", "arguments"), {"depth": 3}, ""),
        (of("langserve", "input"), {"question": "And in Paris?"}, "And in Paris?"),
    ],
)
def test_the_message_is_found_within_it(expression: str, given: Any, message: str) -> None:
    assert message_in(expression, given) == message


@pytest.mark.parametrize(
    ("expression", "given", "params"),
    [
        (of("mcp", "params", "arguments"), {"q": "And in Paris?"}, {"argument": "q", "arguments": {}}),
        (
            of("mcp", "params", "arguments"),
            {"question": "And in Paris?", "depth": 3},
            {"argument": "question", "arguments": {"depth": 3}},
        ),
        (of("langserve", "input"), {"question": "And in Paris?"}, {"key": "question"}),
        (of("langserve", "input"), {"question": "And in Paris?", "depth": 3}, {}),
        (" message ", {"question": "And in Paris?"}, {}),
    ],
)
def test_params_say_where_the_message_is_and_what_is_beside_it(
    expression: str, given: Any, params: dict[str, Any]
) -> None:
    assert params_in(expression, given) == params
