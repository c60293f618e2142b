"""What a stored target refuses before it is saved."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from targets.models import Target


def test_an_address_that_is_never_dialled_is_refused() -> None:
    Target(name="bot", url="http://127.0.0.1:9/v1", preset="openai-chat").clean()
    with pytest.raises(ValidationError, match=r"'169\.254\.169\.254' is a cloud metadata address"):
        Target(name="bot", url="http://169.254.169.254/v1", preset="openai-chat").clean()
