"""Amazon's published examples of its signatures (the suite of Signature Version 4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.security.sigv4 import AwsSigner, canonical_request

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
WHEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = ("Host", "example.amazonaws.com")
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = "application/x-www-form-urlencoded"
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
REQUESTS = {
    "GET /": VANILLA,
    "GET /example1/example2/../..": VANILLA,
    "GET /example/..": VANILLA,
    "GET /./": VANILLA,
    "GET //": VANILLA,
    "GET /./example": "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    "GET //example//": "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    "GET /example space/": "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    "GET /example/$delete": "a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27",
    f"GET /{UNRESERVED}": "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    "GET /\u1234": "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    "GET /?Param1=value1": "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1": (
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"
    ),
    "GET /?Param2=value2&Param1=value1": "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    "GET /?Param1=value2&Param1=Value1": "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    f"GET /?{UNRESERVED}={UNRESERVED}": "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    "GET /?\u1234=bar": "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    "POST /": "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    "POST /?Param1=value1": "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
}


def signature(line: str, *headers: tuple[str, str], body: bytes = b"", token: str = "") -> tuple[str, str]:
    """What is signed, and the signature."""
    method, path = line.split(" ", 1)
    signer = AwsSigner("service", "us-east-1", "key", "secret", token)
    opened = {"key": KEY, "secret": SECRET, "token": TOKEN}
    given = dict(signer.headers(method, path, [HOST, *headers], body, WHEN, opened.__getitem__))
    assert given["X-Amz-Date"] == "20150830T123600Z"
    assert given.get("X-Amz-Security-Token") == (TOKEN if token else None)
    begin, names, found = given["Authorization"].split(", ")
    assert begin == f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request"
    return names.removeprefix("SignedHeaders="), found.removeprefix("Signature=")


@pytest.mark.parametrize(("line", "published"), REQUESTS.items(), ids=REQUESTS.keys())
def test_a_request_is_signed_as_published(line: str, published: str) -> None:
    unsigned = ("User-Agent", "token-burn")
    old = ("X-Amz-Date", "20010101T000000Z")
    assert signature(line, unsigned, old) == ("host;x-amz-date", published)


def test_a_content_type_a_body_and_a_token_are_signed() -> None:
    published = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    given = signature("POST /", ("Content-Type", FORM), body=b"Param1=value1")
    assert given == ("content-type;host;x-amz-date", published)
    published = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    assert signature("GET /", token="token") == ("host;x-amz-date;x-amz-security-token", published)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["value2", "value2", "value1"], "value2,value2,value1"),
        (["value1\n  value2\n     value3"], "value1 value2 value3"),
        ([' "a   b   c"'], '"a b c"'),
    ],
)
def test_values_of_headers_are_written_as_published(given: list[str], line: str) -> None:
    headers = [HOST, *(("My-Header1", value) for value in given)]
    lines = canonical_request("GET", "/", headers, b"").decode().split("\n")
    assert lines[3:6] == ["host:example.amazonaws.com", f"my-header1:{line}", ""]
