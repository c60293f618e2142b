"""What is entered for a webhook: its address and key, which are stored sealed."""

from __future__ import annotations

import pytest

from runs.models import Webhook
from runs.webhooks.secrets import give_secrets
from tests.integration.web import made_up


@pytest.mark.django_db
def test_what_is_not_entered_again_is_not_sealed_again() -> None:
    made = Webhook(name="hook")
    give_secrets(made, url="http://127.0.0.1:1/hook", key="old")
    made.save()
    Webhook.objects.update(sealed_secrets="gone-key:AAAA")
    address, boss = f"/api/webhooks/{made.pk}/", made_up.api_of(made_up.user(superuser=True))
    assert boss.patch(address, {"enabled": False}).json()["enabled"] is False
    assert Webhook.objects.get().sealed_secrets == "gone-key:AAAA"
    assert "enter it again" in boss.patch(address, {"key": "new"}).json()["url"][0]


@pytest.mark.parametrize(
    "url",
    ["", "host/path", "ftp://host/", "https://", "https://u:secret-part@host/", "https://h\u00f6st/", "http://h:0/"],
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="give an address") as refused:
        give_secrets(Webhook(name="x"), url=url)
    assert "secret-part" not in str(refused.value)
    assert refused.value.__cause__ is None, "what was given stands in it"
