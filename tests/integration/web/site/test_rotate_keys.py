"""`manage.py rotate_keys` as an administrator types it, on keys from the environment and on development keys."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_django import Settings

from runs.models import Run, RunStatus, Webhook
from runs.services import stop_run
from targets.models import Credential, Target
from tests.integration.web import made_up
from tests.support.credentials import keep
from tests.support.processes import ROOT, child_env
from tokenburn_site.config.keys import keyring

FIRST = "first:" + base64.b64encode(b"1" * 32).decode()
SECOND = "second:" + base64.b64encode(b"2" * 32).decode()
pytestmark = pytest.mark.django_db(transaction=True)
Under = Callable[[str], None]


@pytest.fixture(autouse=True)
def var(tmp_path: Path) -> Path:
    (tmp_path / "var").mkdir()
    return tmp_path / "var"


def run(argv: list[str], var: Path, keys: str = "") -> subprocess.CompletedProcess[str]:
    env = child_env(TOKENBURN_VAR_DIR=str(var)) | ({"TOKENBURN_KEYS": keys} if keys else {})
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def rotate(var: Path, *flags: str, keys: str = "") -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", "rotate_keys", *flags], var, keys)


@pytest.fixture
def under(var: Path, settings: Settings) -> Under:
    """From now on this process has these keys; empty: the development keys that lie in `var` by then."""

    def use(keys: str) -> None:
        settings.SECRET_KEYRING = keyring(SecretStr(keys) if keys else None, var / "secrets.key")

    return use


def stored() -> str:
    """What can be opened."""
    return str([row.get_secrets() for model in (Credential, Webhook) for row in model.objects.order_by("pk")])


def seal() -> None:
    """Those of two targets, a queued run and a webhook."""
    run = made_up.run(RunStatus.QUEUED)
    Credential.objects.update(sealed_secrets="")
    for number in (1, 2):
        keep(Target(name=f"mine {number}", url="http://127.0.0.1:9"), {"key": f"value {number}"})
    run.set_secrets({"key": "the run's"})
    run.save()
    hook = Webhook(name="mine", host="h")
    hook.set_secrets({"url": "value of the hook"})
    hook.save()


def test_a_new_key_takes_over_and_the_old_one_can_go(var: Path, under: Under) -> None:
    under(FIRST)
    seal()
    done = rotate(var, keys=f"{SECOND},{FIRST}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "credentials: 2 re-encrypted, 0 already under the first key",
        "runs: 1 re-encrypted, 0 already under the first key",
        "webhooks: 1 re-encrypted, 0 already under the first key",
        "second factors: 0 re-encrypted, 0 already under the first key",
        "all is under key second; no longer needed: first",
    ]
    under(SECOND)
    assert stored().count("value") == 3
    again = rotate(var, keys=SECOND)
    assert (again.returncode, "0 re-encrypted, 2 already under the first key" in again.stdout) == (0, True)


def test_what_cannot_be_opened_is_named_and_costs_the_exit_code(var: Path, under: Under) -> None:
    under(FIRST)
    seal()
    first, second = Credential.objects.get(name="mine 1"), Credential.objects.get(name="mine 2")
    Credential.objects.filter(pk=first.pk).update(sealed_secrets=second.sealed_secrets)
    done = rotate(var, keys=f"{SECOND},{FIRST}")
    assert done.returncode == 1
    assert (
        f"cannot be decrypted: credential {first.pk}: the sealed secrets were changed or moved to another row"
        in done.stderr
    )
    assert "keep the other keys until then" in done.stderr
    assert "credentials: 1 re-encrypted" in done.stdout
    assert rotate(var, keys=SECOND).returncode == 1


def test_a_new_key_for_the_environment_is_only_printed(var: Path, under: Under) -> None:
    under(FIRST)
    seal()
    before = sorted(Credential.objects.values_list("sealed_secrets", flat=True))
    done = rotate(var, "--new", keys=FIRST)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert re.fullmatch(r"key-[0-9a-f]{8}:[A-Za-z0-9+/]{43}=", line)
    assert sorted(Credential.objects.values_list("sealed_secrets", flat=True)) == before
    assert rotate(var, keys=f"{line},{FIRST}").returncode == 0
    under(line)
    assert "value 1" in stored()


def test_development_keys_are_rotated_at_once_and_only_their_owner_reads_them(var: Path, under: Under) -> None:
    under("")
    seal()
    old = (var / "secrets.key").read_text()
    done = rotate(var, "--new")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 re-encrypted" in done.stdout and "1 re-encrypted" in done.stdout
    under("")
    assert "value 1" in stored()
    lines = (var / "secrets.key").read_text().split()
    assert lines[1:] == [old.strip()] and lines[0] not in done.stdout
    assert (var / "secrets.key").stat().st_mode & 0o777 == 0o600
    (var / "secrets.key").write_text(lines[0])
    under("")
    assert "value 2" in stored()


def test_a_run_keeps_its_secrets_only_as_long_as_it_may_need_them() -> None:
    queued = made_up.run(RunStatus.QUEUED)
    queued.shards.update(status="queued")
    assert queued.get_secrets() == {"api_key": made_up.SECRET}
    stop_run(queued)
    queued.refresh_from_db()
    assert (queued.status, queued.sealed_secrets) == (RunStatus.STOPPED, "")
    assert Run.objects.exclude(sealed_secrets="").count() == 0
