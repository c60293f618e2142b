"""What a template may do with a secret."""

from __future__ import annotations

import pytest

from connectors.opaque.uses import Kind, MisuseError, expressions, kind_of_expression


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("secret.api_key", Kind.WHOLE),
        ("secret['api_key']", Kind.WHOLE),
        ("saved.token or secret.token", Kind.WHOLE),
        ("secret.token | default(params.token)", Kind.WHOLE),
        ("params.token | default(secret.token)", Kind.WHOLE),
        ("secret.a if params.live else secret.b", Kind.WHOLE),
        ("secret.a if secret.a is defined else 'none'", Kind.WHOLE),
        ("'Bearer ' ~ secret.api_key", Kind.TEXT),
        ("'Bearer ' + secret.api_key", Kind.TEXT),
        ("[params.user, secret.password] | join(':')", Kind.TEXT),
        ("{'key': secret.api_key} | tojson", Kind.TEXT),
        ("(params.user ~ ':' ~ secret.password) | b64encode", Kind.ENCODED),
        ("secret.api_key | urlencode", Kind.ENCODED),
        ("secret.api_key | b64encode | urlencode", Kind.ENCODED),
        ("'Basic ' ~ (secret.password | b64encode)", Kind.ENCODED),
        ("{'key': secret.api_key, 'n': [1, secret.b]}", Kind.HOLDER),
        ("{'key': secret.api_key | b64encode}", Kind.HOLDER_OF_ENCODED),
        ("secret.api_key is defined", Kind.CLEAN),
        ("not secret.api_key", Kind.CLEAN),
        ("'yes' if secret.api_key else 'no'", Kind.CLEAN),
        ("params.secret", Kind.CLEAN),
        ("'the secret is out' | upper", Kind.CLEAN),
        ("messages[-4:]", Kind.CLEAN),
        ("vars.name | upper", Kind.CLEAN),
    ],
)
def test_a_secret_may_be_passed_on(text: str, kind: Kind) -> None:
    assert kind_of_expression(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "secret | list",
        "secret.items()",
        "secret.get('api_key')",
        "secret[params.name]",
        "dict(secret)",
        "secret.api_key | reverse",
        "secret.api_key | upper",
        "secret.api_key | length",
        "secret.api_key | list",
        "secret.api_key | first",
        "secret.api_key | replace('a', 'b')",
        "message | replace('a', secret.api_key)",
        "secret.api_key | int",
        "secret.api_key | string",
        "secret.api_key | truncate(3)",
        "secret.api_key | center(9)",
        "secret.api_key | batch(1) | list",
        "secret.api_key | map('upper') | list",
        "secret.api_key | select('in', 'abc') | list",
        "'%s' | format(secret.api_key)",
        "'%.3s' % secret.api_key",
        "'{:.3}'.format(secret.api_key)",
        "secret.api_key[0]",
        "secret.api_key[::-1]",
        "secret.api_key[:4]",
        "params[secret.api_key]",
        "secret.api_key.upper()",
        "secret.api_key.a",
        "secret.api_key == 'sk'",
        "secret.api_key < 'sk'",
        "'sk' in secret.api_key",
        "secret.api_key in message",
        "secret.api_key is string",
        "secret.api_key is eq('sk')",
        "message is eq(secret.api_key)",
        "secret.api_key is in('abc')",
        "secret.a ~ secret.b == 'x'",
        "1 if secret.api_key > 'm' else 0",
        "1 if (secret.api_key ~ '') else 0",
        "secret.api_key * 2",
        "secret.api_key - 1",
        "-secret.api_key",
        "{secret.api_key: 1}",
        "{'a': secret.api_key}.a",
        "{'a': secret.api_key} | length",
        "[secret.api_key][0]",
        "[secret.api_key] | sort",
        "[secret.api_key] ~ ''",
        "[secret.api_key] + [1]",
        "[secret.api_key] | join(attribute='x')",
        "['a', 'b'] | join(secret.api_key)",
        "dict(a=secret.api_key)",
        "range(secret.api_key)",
        "messages | shaped({'k': secret.api_key})",
        "messages | map(attribute=secret.api_key) | list",
        "secret.api_key | b64encode | b64encode",
        "secret.api_key | urlencode | b64encode",
        "{'a': secret.api_key} | urlencode",
        "({'k': secret.api_key | b64encode} | tojson) | b64encode",
        "(secret.api_key | b64encode)[0]",
        "(secret.api_key | tojson) | length",
        "(secret.a or 'x') | reverse",
        "(secret.a if params.x else 'x') | reverse",
        "secret.a | default('x') | reverse",
        "((secret.a))[1]",
    ],
)
def test_every_other_use_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match=r"a secret may stand as it is, be joined with other text"):
        kind_of_expression(text)


@pytest.mark.parametrize(
    "text",
    ["secret.a |", "secret.a b", "(" * 3000 + "secret.a", "secret.a" + " ~ 'x'" * 9000, "secret.a" + ".b" * 4000],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match=r"is not an expression|may have 10,000 characters|taken out of a secret"):
        kind_of_expression(text)


def test_only_expressions_that_name_a_secret_are_read() -> None:
    text = "a {{ message | nonsense( }} b {{ secret.a }}{{ params.secrets }} secret.b"
    assert [found for _, found in expressions(text)] == ["secret.a"]
