"""Messages that are not tried again: to a refused address, and tests."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Webhook, WebhookDelivery
from runs.webhooks import deliver
from runs.webhooks.http_post import post
from runs.webhooks.secrets import give_secrets
from tests.support.servers.receiver import receiving
from tests.unit.runs.webhooks.test_webhooks import due_now, hook

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("url", ["http://169.254.169.254/secret-part", "http://0xa9fea9fe/", "https://[fe80::1]/"])
def test_what_no_setting_allows_is_refused_when_saved_and_when_sent(url: str) -> None:
    made = Webhook(name="x")
    with pytest.raises(ValueError, match=r"no setting allows .* the address of its receiver") as refused:
        give_secrets(made, url=url)
    assert "secret-part" not in str(refused.value)
    found = post(url, b"{}", {}, allow_private=True)
    assert found.refused and found.error.startswith("address_blocked") and "chatbot" not in found.error
    assert "the address of its receiver" in found.error


def test_a_test_message_whose_process_dies_is_sent_once_by_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with receiving(500) as receiver:
        made = hook(receiver.url)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(deliver, "_try", die)
            deliver.send_test(made)
        assert deliver.deliver_due() == 0 and not receiver.got, "it is not due yet"
        due_now()
        deliver.deliver_due()
        due_now()
        deliver.deliver_due()
    assert len(receiver.got) == 1
    assert WebhookDelivery.objects.get().status == "failed"
