"""The mock's own half of the CryptoJS passphrase format; tests/integration holds it against the real one."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from mock_chatbot.faces.cryptojs import decrypt, encrypt

BY_OPENSSL = "U2FsdGVkX18Sun2qG6PvD+hjTsOB4c+ULxUWwZJAjzpP1mHGIdv6uE8+3O9EI4C1"
"""`printf '{"question":"héllo"}' | openssl enc -aes-256-cbc -md md5 -a -A -salt -pass pass:open-sesame`"""


def test_what_openssl_wrote_is_read() -> None:
    assert decrypt(BY_OPENSSL, "open-sesame").decode() == '{"question":"héllo"}'


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 15, b"x" * 16, "日本語 🙂".encode() * 99])
def test_there_and_back_with_a_salt_of_its_own(data: bytes) -> None:
    once, again = encrypt(data, "p"), encrypt(data, "p")
    assert decrypt(once, "p") == decrypt(again, "p") == data
    assert once != again and once.startswith(b"U2FsdGVkX1")


@pytest.mark.parametrize(
    "text",
    ["", "?", "é", "YWJj", b64encode(b"Salted__12345678").decode(), b64encode(b64decode(BY_OPENSSL)[:-1]).decode()],
)
def test_what_is_no_such_message_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        decrypt(text, "open-sesame")


def test_another_passphrase_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="padding"):
        decrypt(BY_OPENSSL, "close-sesame")
