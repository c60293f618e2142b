"""Values that are saved of the heads of answers, and by patterns of their bodies."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.content.heads import AnswerHead
from connectors.mapping.answers.response import ResponseMapping
from connectors.mapping.answers.saving import Saving
from connectors.spec import ResponseSpec, Source
from connectors.timeline.heads import saving_class


@pytest.mark.parametrize(
    "response", [{"format": "text"}, {"format": "xml", "text": 'input."#text"'}], ids=["text", "xml"]
)
def test_a_pattern_is_searched_in_a_body_as_it_came(response: dict[str, Any]) -> None:
    mapping = ResponseMapping(ResponseSpec.model_validate(response))
    saving = Saving({"found": Source(pattern=r'value="(\d)"')}, "save")
    line = saving_class(named=False)(mapping, 0, saving=saving, conceal=None)
    line.answer(1, b'<input value="7">hello</input>')
    assert line.saved == {"found": "7"}


def test_frames_that_nobody_reads_need_not_be_xml() -> None:
    kinds = {"answer": {"text": "a", "format": "xml"}}
    mapping = ResponseMapping(ResponseSpec.model_validate({"format": "xml", "kind": "@event", "kinds": kinds}))
    saving = Saving({"found": Source(pattern=r"run=(\d)")}, "save")
    line = saving_class(named=True)(mapping, 0, saving=saving, conceal=None)
    line.event(1, b"run=7")
    assert line.saved == {"found": "7"}


def test_an_answer_on_the_way_gives_cookies_alone() -> None:
    mapping = ResponseMapping(ResponseSpec(text="a"))
    saving = Saving({"place": Source(header="Location"), "cookie": Source(cookie="c")}, "save")
    line = saving_class(named=False)(mapping, 0, saving=saving, conceal=None)
    line.head(AnswerHead(302, "http://h/a", {"location": "/b"}, ("c=1",)))
    assert line.saved == {"cookie": "1"}
    line.head(AnswerHead(201, "http://h/b", {"location": "/d"}))
    assert line.saved == {"cookie": "1", "place": "http://h/d"}
