"""Events are short, shown safely, and hold no secret."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import AnonymousUser, User

from accounts.models import ApiToken
from audit.description import bounded, person, short, thing, token_name


def test_long_and_invisible_text_is_cut_and_escaped() -> None:
    assert short("a\x1b[31m\u202eb\0") == "a\\x1b[31m\\u202eb\\x00"
    assert len(short("x" * 1000)) == 200
    assert len(short("\0" * 1000)) == 200


@pytest.mark.parametrize(
    "value",
    [{"a" * 500: ["x" * 5000] * 500}, {str(n): n for n in range(1000)}, [[[[[[[["deep" * 500]]]]]]]], set(range(99))],
)
def test_details_are_bounded(value: object) -> None:
    assert len(json.dumps(bounded(value))) < 30_000


def test_small_details_stay_as_they_are() -> None:
    small = {"fields": ["name", "url"], "users": 5, "active": True, "none": None}
    assert bounded(small) == small


def test_numbers_that_databases_store_differently_become_text() -> None:
    assert bounded([1.5, 2**70]) == ["1.5", str(2**70)]


def test_a_stranger_has_no_name() -> None:
    assert person(AnonymousUser()) == person(None) == {}


def test_rows_are_named_by_kind_id_and_text() -> None:
    assert thing(User(pk=3, username="anna")) == {"kind": "user", "key": "3", "text": "anna"}


def test_a_token_is_named_by_its_id_alone() -> None:
    token = ApiToken(pk=7, start="tb_secret", digest="d" * 64)
    assert token_name(token) == "7"
    assert token_name(None) == token_name("tb_secret") == ""
