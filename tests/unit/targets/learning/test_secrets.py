"""Secrets in what was recorded: none is written, whatever it is called and wherever it stands."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from connectors.target import CompiledTarget
from targets.learning.credentials.credential_like import looks_secret
from targets.learning.learn import learn
from targets.secret_names import is_secret_name
from tests.unit.targets.learning.test_learn import spec_of

ASK = "https://bot.example.com/api/ask"
ANSWER = 'HTTP/1.1 200 OK\nContent-Type: application/json\n\n{"answer": "It is in Graz, I think."}'
QUESTION = "Where is my parcel?"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
DER = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDflOaBeP5kBTxw"
PEM = f"-----BEGIN PRIVATE KEY-----\n{DER}\nPI1leEJl7k5Vq742ZE04QiI17wvY3JmV\n-----END PRIVATE KEY-----\n"
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE/////////TOKEN/OfTemporary+Credentials//WhichMayBeLong=="
MIXED = "Zk3Qm8Lr2VtXw9Bn5Ys7Hd1P"


def body(**fields: object) -> str:
    return f"curl {ASK} -d '{json.dumps({'question': QUESTION, **fields})}'"


@pytest.mark.parametrize(
    ("line", "value", "place"),
    [
        (body(pin="48213977"), "48213977", "pin"),
        (body(pin=48213977), "48213977", "pin"),
        (body(**{"pass": "hunter-two"}), "hunter-two", "pass"),
        (body(otp="994-113"), "994-113", "otp"),
        (body(passcode="open sesame"), "open sesame", "passcode"),
        (body(card="4111111111111111"), "4111111111111111", "card"),
        (body(payment="4111 1111 1111 1111"), "4111 1111 1111 1111", "payment"),
        (body(payment=4111111111111111), "4111111111111111", "payment"),
        (body(licenseKey="AB-12-CD"), "AB-12-CD", "license_key"),
        (body(fields=[{"name": "password", "value": "hunter-two"}]), "hunter-two", "password"),
        (body(credentials={"user": "ann-marie"}), "ann-marie", "user"),
        (body(context=json.dumps({"pin": "48213977", "lang": "en"})), "48213977", "pin"),
        (body(device=MIXED), MIXED, "device"),
        (body(note=f"use tok_live_{MIXED} for it"), f"tok_live_{MIXED}", "secret"),
        (f"curl {ASK} -d 'question=Where is it now?' -d hash={HEX}", HEX, "hash"),
        (f"curl {ASK} -d 'question=Where is it now?' -d 'user[pwd]=hunter-two'", "hunter-two", "user_pwd"),
        (body() + " -H 'X-Pass: hunter-two'", "hunter-two", "pass"),
        (body() + f" -H 'X-Device: {HEX}'", HEX, "device"),
        (f"curl '{ASK}?q=Where+is+it+now%3F&dev={MIXED}'", MIXED, "dev"),
    ],
)  # fmt: skip
def test_a_secret_in_a_request_becomes_a_secret_of_the_target(line: str, value: str, place: str) -> None:
    made = learn([f"{line}\n\n{ANSWER}"])
    assert value not in json.dumps(made.as_dict()) + repr(made)
    assert made.secrets == {place: value}
    assert made.untold == []
    spec_of(made)


@pytest.mark.parametrize(
    ("line", "piece", "name"),
    [
        (body(conf={"signer": PEM}), DER, "signer"),
        (body(conf=PEM.replace("\n", "\\n")), DER, "conf"),
        (body(lines=f"key:\\n{PEM.partition('-----END')[0]}"), DER, "lines"),
        (body(prompt=f"what does {PEM} say?"), DER, "secret"),
        (body(account=json.dumps({"type": "service_account", "private_key": PEM})), DER, "account"),
        (body(account={"type": "service_account", "private_key": PEM}), DER, "private_key"),
        (body(der=DER * 40), DER, "der"),
        (body(cert=b64encode(PEM.encode()).decode()), b64encode(PEM.encode())[:60].decode(), "cert"),
        (body(signer={"kty": "EC", "crv": "P-256", "x": "eks", "d": "jwk-private-part"}), "jwk-private-part", "jwk_d"),
        (body(signer={"kty": "oct", "k": "shared-part"}), "shared-part", "jwk_k"),
        (body(signer={"kty": "RSA", "oth": [{"r": "third-prime"}]}), "third-prime", "jwk_r"),
        (body(signer=json.dumps({"kty": "oct", "k": "shared-part"})), "shared-part", "jwk_k"),
        (body(prompt='use {"kty": "oct", "k": "shared-part"}'), "shared-part", "secret"),
        (body(sk=AWS_KEY), AWS_KEY, "sk"),
        (body(prompt=f"I have {AWS_KEY}, is it valid?"), AWS_KEY, "secret"),
        (body(sts=AWS_TOKEN), AWS_TOKEN[:40], "sts"),
        (body(prompt=f"I have {AWS_TOKEN} here"), AWS_TOKEN[:40], "secret"),
        (body() + f" -H 'X-Device: {AWS_KEY}'", AWS_KEY, "device"),
        (f"curl {ASK} -d 'question=Where is it now?' --data-urlencode 'k={PEM}'", DER, "k"),
        (f"curl {ASK} -d 'question=Where is it now?' --data-urlencode k={AWS_KEY}", AWS_KEY, "k"),
    ],
)  # fmt: skip
def test_a_private_key_and_a_key_of_amazon_are_known_by_their_form(line: str, piece: str, name: str) -> None:
    made = learn([f"{line}\n\n{ANSWER}"])
    assert piece not in json.dumps(made.as_dict()) + repr(made)
    assert list(made.secrets) == [name] or piece in line.partition("prompt")[2]
    spec_of(made)


def test_an_answer_that_has_a_private_key_is_shown_without_it() -> None:
    said = {"answer": f"Here it is: {PEM.strip()} and {AWS_KEY}, {AWS_TOKEN}"}
    made = learn([f"{body()}\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n{json.dumps(said)}"])
    assert made.reading is not None
    assert made.reading.text == "Here it is: *** and ***, ***"


@pytest.mark.parametrize(
    "text",
    [
        "src/components/Chat2/MessageList/Index42",
        "getCustomers2FromDirectoriesAndSortThemX",
        "Where is the PRIVATE KEY that I asked for, -----BEGIN PRIVATE KEY----- it said?",
        "-----BEGIN PUBLIC KEY----- is how it begins",
    ],
)
def test_what_only_resembles_a_key_stays(text: str) -> None:
    assert not looks_secret(text)


def test_a_secret_in_a_text_that_is_no_json_is_found_by_the_name_beside_it() -> None:
    text = "<a><say>Where is it?</say><pin>48213977</pin></a>"
    made = learn([f"curl {ASK} -H 'Content-Type: text/xml' -d '{text}'\n\n{ANSWER}"])
    assert made.overrides["request"]["body"] == text.replace("48213977", "{{ secret.pin }}")


@pytest.mark.parametrize("part", [f"tok_live_{MIXED}", HEX, f"token/{'a-b-c-d-e'}"])
def test_a_secret_in_a_path_is_left_out_and_named(part: str) -> None:
    value = part.rpartition("/")[2]
    step = f"curl https://bot.example.com/v1/{part}/ask -d '{json.dumps({'question': QUESTION})}'"
    preset = json.dumps({"model": "m", "messages": [{"role": "user", "content": QUESTION}]})
    for line in (step, f"curl https://bot.example.com/{part}/v1/chat/completions -d '{preset}'"):
        made = learn([f"{line}\n\n{ANSWER}"])
        assert value not in json.dumps(made.as_dict())
        assert "LEFT_OUT" in json.dumps(made.target())
        assert any("LEFT_OUT" in text for text in made.unsure)
        spec_of(made)


def test_what_may_be_an_id_or_a_credential_is_named_by_its_place_alone() -> None:
    made = learn([f"{body(installation='a81c44f19', colour='red')} -H 'X-Unit: 7fa-99b12345c'\n\n{ANSWER}"])
    assert made.secrets == {}
    told = [text for text in made.unsure if "may be an id or a credential" in text]
    assert [text.split(" ")[0] for text in told] == ["request.headers.X-Unit", "request.body.installation"]
    assert "a81c44f19" not in str(made.unsure)


def test_a_credential_in_an_answer_is_not_shown() -> None:
    made = learn([f"{body()}\n\n{ANSWER.replace('in Graz', f'at tok_live_{MIXED}')}"])
    assert made.reading is not None
    assert made.reading.text == "It is at ***, I think."


@pytest.mark.parametrize(
    "name",
    [
        "pass", "pwd", "userPassword", "PIN", "pin_code", "otp", "cvv", "card", "cardNumber",
        "licence-key", "hash", "user[token]",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "pinned",
        "passenger",
        "hashtag",
        "cards",
        "max_tokens",
        "compass",
        "spin",
        "key",
        "cardinal",
        "bypass",
        "discard",
    ],
)
def test_ordinary_names_are_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "meta-llama/Llama-3.3-70B-Instruct-Turbo", "gpt-4o-mini-2024-07-18", "2024-10-21T10:00:00.000Z", "en-US",
        "claude-3-5-sonnet-20241022", "https://bot.example.com/a1b2c3d4e5f6a7b8c9d0", "internationalization_of_all",
        "1718000000000", "4111111111111112", "6f1c2b1e-8a4d-4a53-9d53-0b8a5b1f2c77",
    ],
)  # fmt: skip
def test_ordinary_texts_look_like_no_secret(text: str) -> None:
    assert not looks_secret(text)


BEDROCK = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/amazon.nova-lite-v1:0/converse"
CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": QUESTION}]}]})
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SCOPE = f"{ACCESS_KEY}/20261130/eu-west-1/chat/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature={HEX}"
BY_CURL = f"--aws-sigv4 aws:amz:eu-west-1:chat --user {ACCESS_KEY}:{AWS_KEY}"
BY_HEADERS = f"-H 'Authorization: {SIGNED}' -H 'X-Amz-Date: 20261130T210000Z' -H 'X-Amz-Content-Sha256: {HEX}{HEX}'"
OF_ROLE = f"-H 'X-Amz-Security-Token: {AWS_TOKEN}'"


@pytest.mark.parametrize(
    ("options", "secrets"),
    [
        (BY_CURL, {"access_key_id": ACCESS_KEY, "secret_access_key": AWS_KEY}),
        (f"{BY_CURL} {BY_HEADERS}", {"access_key_id": ACCESS_KEY, "secret_access_key": AWS_KEY}),
        (f"{BY_HEADERS} {OF_ROLE}",
         {"access_key_id": ACCESS_KEY, "secret_access_key": "", "session_token": AWS_TOKEN}),
        ("--aws-sigv4 aws:amz:eu-west-1:chat --user '$KEY:$SECRET'", {"access_key_id": "", "secret_access_key": ""}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("own", [True, False])
def test_a_signed_request_becomes_a_target_that_signs(options: str, secrets: dict[str, str], own: bool) -> None:
    line = f"{body()} {options}" if own else f"curl {BEDROCK} -d '{CONVERSE}' {options}"
    made = learn([f"{line}\n\n{ANSWER}" if own else line])
    assert made.secrets == secrets
    said = json.dumps(made.as_dict())
    assert not [piece for piece in (ACCESS_KEY, AWS_KEY, AWS_TOKEN, HEX, "20261130", "asic") if piece in said]
    assert any("secret key was not recorded" in text for text in made.unsure) is (
        options.removesuffix(f" {OF_ROLE}") == BY_HEADERS
    )
    signature = spec_of(made).aws_signature
    assert signature is not None
    if own:
        assert (signature.service, signature.region) == ("chat", "eu-west-1")
    else:
        assert (made.preset, made.params["region"]) == ("bedrock-converse", "eu-west-1")
    assert CompiledTarget(spec_of(made)).endpoint.signer is not None


def test_a_signature_in_an_address_is_named() -> None:
    made = learn([f"{body().replace(ASK, f'{ASK}?X-Amz-Signature={HEX}')}\n\n{ANSWER}"])
    assert any("aws_signature" in text for text in made.unsure)
    assert HEX not in json.dumps(made.as_dict())
