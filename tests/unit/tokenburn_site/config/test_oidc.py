"""Settings of single sign-on that cannot work are refused."""

from __future__ import annotations

import pytest

from tokenburn_site.config.keys import BadEnvironment
from tokenburn_site.config.oidc import OidcEnv


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"ISSUER": "http://login.example", "CLIENT_ID": "burn"}, "^TOKENBURN_OIDC_ISSUER: .* https$"),
        ({"ISSUER": "https://", "CLIENT_ID": "burn"}, "^TOKENBURN_OIDC_ISSUER: .* https$"),
        ({"ISSUER": "https://login.example"}, "^TOKENBURN_OIDC: .*needs TOKENBURN_OIDC_CLIENT_ID$"),
        ({"GROUPS": '{"bosses": 1}'}, "^TOKENBURN_OIDC_GROUPS: "),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(
    given: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"TOKENBURN_OIDC_{name}", value)
    with pytest.raises(BadEnvironment, match=why):
        OidcEnv.read()
