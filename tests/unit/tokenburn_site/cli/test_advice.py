"""Which environment variables a refused target wants."""

from __future__ import annotations

from connectors.spec import build_target_spec
from tokenburn_site.cli.advice import advice


def test_secrets_are_named_wherever_the_target_uses_them() -> None:
    spec = build_target_spec(name="t", url="wss://h", preset="nuc", secrets={"api_key": "k", "passphrase": "p"})
    said = advice("http_401", spec.frozen_dict(), stored=False)
    assert "TOKENBURN_SECRET_API_KEY and TOKENBURN_SECRET_PASSPHRASE" in said


def test_a_target_that_sends_none_is_told_apart_from_a_stored_one() -> None:
    spec = build_target_spec(name="t", url="http://h", preset="rasa-rest")
    assert "sends no credentials" in advice("http_403", spec.frozen_dict(), stored=False)
    assert "in the admin" in advice("http_403", spec.frozen_dict(), stored=True)
