"""Sealed secrets open for their own row only, unchanged, with a key of the ring; rotation loses none of them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from runs.models import Run
from sealing.secrets import SecretsError, reseal, row_label, seal, unseal
from targets.models import Credential
from targets.rotation import ROUNDS, behind, rotate
from tests.support.runs import a_run

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
VALUES = {"api_key": "sk-first", "passphrase": "zwölf\n🔑"}
LABEL = b"targets.secrets:1"


@pytest.fixture(autouse=True)
def ring(settings: Any) -> list[tuple[str, bytes]]:
    """The keyring, to be changed in place; nothing is read again from elsewhere."""
    settings.SECRET_KEYRING = [OLD]
    settings.REREAD_KEYRING = lambda: settings.SECRET_KEYRING
    found: list[tuple[str, bytes]] = settings.SECRET_KEYRING
    return found


def a_credential(name: str = "one", values: dict[str, str] = VALUES) -> Credential:
    made = Credential(name=name, origins=["http://127.0.0.1:9"])
    made.set_secrets(values)
    made.save()
    return made


def put_first(ring: list[tuple[str, bytes]]) -> None:
    ring[:] = [NEW, OLD]


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=99), max_size=5))
def test_what_is_sealed_opens(values: dict[str, str]) -> None:
    assert unseal(seal(values, LABEL), LABEL) == values


def test_the_same_values_never_look_the_same() -> None:
    assert seal(VALUES, LABEL) != seal(VALUES, LABEL)


def test_a_flipped_bit_anywhere_is_refused() -> None:
    key_id, _, text = seal(VALUES, LABEL).partition(":")
    box = base64.b64decode(text)
    for at in range(len(box)):
        changed = bytearray(box)
        changed[at] ^= 1 << at % 8
        with pytest.raises(SecretsError, match="changed or moved"):
            unseal(f"{key_id}:{base64.b64encode(changed).decode()}", LABEL)


@pytest.mark.parametrize("sealed", ["old:", "old:%%%", "old:AAAA", "old", ":", "old:" + "A" * 400])
def test_what_is_no_ciphertext_is_refused(sealed: str) -> None:
    with pytest.raises(SecretsError) as caught:
        unseal(sealed, LABEL)
    assert "A" * 9 not in str(caught.value)


@pytest.mark.django_db
def test_rows_whose_secrets_were_swapped_are_refused() -> None:
    one, two = a_credential("one"), a_credential("two", {"api_key": "sk-second"})
    Credential.objects.filter(pk=one.pk).update(sealed_secrets=two.sealed_secrets)
    Credential.objects.filter(pk=two.pk).update(sealed_secrets=one.sealed_secrets)
    for row in Credential.objects.all():
        with pytest.raises(SecretsError, match="moved to another row"):
            row.get_secrets()


@pytest.mark.django_db
def test_a_credential_s_secrets_do_not_open_in_a_run_and_the_other_way_round() -> None:
    one, run = a_credential(), a_run()
    Run.objects.filter(pk=run.pk).update(uid=one.uid, sealed_secrets=one.sealed_secrets)
    Credential.objects.filter(pk=one.pk).update(sealed_secrets=run.sealed_secrets, uid=run.uid)
    for row in (Run.objects.get(pk=run.pk), Credential.objects.get(pk=one.pk)):
        with pytest.raises(SecretsError, match="moved"):
            row.get_secrets()


def test_a_key_that_is_gone_is_named_and_asked_for(ring: list[tuple[str, bytes]]) -> None:
    sealed = seal(VALUES, LABEL)
    ring[:] = [NEW]
    with pytest.raises(SecretsError, match="sealed with key 'old', which is not in TOKENBURN_KEYS: add it back"):
        unseal(sealed, LABEL)


def test_a_key_of_the_same_id_that_is_another_one_is_refused(ring: list[tuple[str, bytes]]) -> None:
    sealed = seal(VALUES, LABEL)
    ring[:] = [("old", NEW[1])]
    with pytest.raises(SecretsError, match="changed or moved"):
        unseal(sealed, LABEL)


def test_keys_that_another_process_rotated_are_read_again(settings: Any) -> None:
    """A worker that was started before the rotation opens what was sealed after it."""
    settings.SECRET_KEYRING = [NEW]
    sealed = seal(VALUES, LABEL)
    settings.SECRET_KEYRING = [OLD]
    settings.REREAD_KEYRING = lambda: [NEW, OLD]
    assert unseal(sealed, LABEL) == VALUES
    assert settings.SECRET_KEYRING == [NEW, OLD]


def test_keys_that_cannot_be_read_again_are_said_so(settings: Any) -> None:
    def broken() -> list[tuple[str, bytes]]:
        raise ValueError("secrets.key is empty")

    settings.REREAD_KEYRING = broken
    with pytest.raises(SecretsError, match="'gone', and the keys cannot be read: "):
        unseal("gone:AAAA", LABEL)


def test_sealing_anew_keeps_what_is_under_the_first_key_as_it_is(ring: list[tuple[str, bytes]]) -> None:
    sealed = seal(VALUES, LABEL)
    assert reseal(sealed, LABEL) == sealed
    put_first(ring)
    fresh = reseal(sealed, LABEL)
    assert fresh.startswith("new:") and unseal(fresh, LABEL) == VALUES


@pytest.mark.django_db
def test_all_rows_are_sealed_anew_and_a_second_time_none(ring: list[tuple[str, bytes]]) -> None:
    for number in range(3):
        a_credential(f"credential {number}", {"number": str(number)})
    a_credential("without", {})
    run = a_run()
    put_first(ring)
    assert (behind(Credential), behind(Run)) == (3, 1)
    assert (rotate(Credential, "targets.secrets").resealed, rotate(Run, "runs.secrets").resealed) == (3, 1)
    again = rotate(Credential, "targets.secrets")
    assert (again.resealed, again.current, behind(Credential), behind(Run)) == (0, 3, 0, 0)
    ring[:] = [NEW]
    assert [row.get_secrets().get("number") for row in Credential.objects.order_by("pk")] == ["0", "1", "2", None]
    assert Run.objects.get(pk=run.pk).get_secrets()


@pytest.mark.django_db
def test_what_cannot_be_opened_is_named_and_left_as_it_is(ring: list[tuple[str, bytes]]) -> None:
    good, bad = a_credential("good"), a_credential("bad")
    Credential.objects.filter(pk=bad.pk).update(sealed_secrets="gone:AAAA")
    put_first(ring)
    done = rotate(Credential, "targets.secrets")
    assert (done.resealed, done.unreadable) == (
        1,
        [f"credential {bad.pk}: sealed with key 'gone', which is not in TOKENBURN_KEYS: add it back"],
    )
    assert Credential.objects.get(pk=bad.pk).sealed_secrets == "gone:AAAA"
    assert Credential.objects.get(pk=good.pk).get_secrets() == VALUES


def before_each_update(edits: list[Callable[[], object]]) -> AbstractContextManager[None]:
    """An edit after a row was read and before it is written, once each time."""
    busy = False

    def execute(really: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal busy
        if sql.startswith("UPDATE") and edits and not busy:
            busy = True
            edits.pop(0)()
            busy = False
        return really(sql, params, many, context)

    return connection.execute_wrapper(execute)


@pytest.mark.django_db
def test_a_secret_that_is_edited_meanwhile_is_not_overwritten(ring: list[tuple[str, bytes]]) -> None:
    made = a_credential()
    put_first(ring)

    def edit() -> None:
        made.set_secrets({"api_key": "edited"})
        made.save()

    with before_each_update([edit]):
        done = rotate(Credential, "targets.secrets")
    assert Credential.objects.get().get_secrets() == {"api_key": "edited"}
    assert (done.resealed + done.current, done.busy, behind(Credential)) == (1, [], 0)


@pytest.mark.django_db
def test_a_row_that_is_never_at_rest_is_named(ring: list[tuple[str, bytes]]) -> None:
    made = a_credential()
    stale = [seal({"api_key": str(number)}, row_label("targets.secrets", made.uid)) for number in range(ROUNDS)]
    put_first(ring)
    rows = Credential.objects.filter(pk=made.pk)
    with before_each_update([partial(rows.update, sealed_secrets=text) for text in stale]):
        done = rotate(Credential, "targets.secrets")
    assert (done.resealed, done.busy, behind(Credential)) == (0, [f"credential {made.pk}"], 1)
    assert Credential.objects.get().get_secrets() == {"api_key": str(ROUNDS - 1)}


@pytest.mark.django_db
@pytest.mark.parametrize("values", [{}, None])
def test_a_row_that_is_cleared_or_deleted_meanwhile_is_passed_over(
    values: dict[str, str] | None, ring: list[tuple[str, bytes]]
) -> None:
    made = a_credential()
    put_first(ring)
    gone = made.delete if values is None else partial(Credential.objects.update, sealed_secrets="")
    with before_each_update([gone]):
        done = rotate(Credential, "targets.secrets")
    assert (done.resealed, done.current, done.unreadable, done.busy) == (0, 0, [], [])
