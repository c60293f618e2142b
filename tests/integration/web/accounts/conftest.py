"""The provider of single sign-on: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.web.accounts.single_sign_on import Provider, configure
from tests.support.processes import ROOT
from tokenburn_site.local.process_groups import ProcessGroups


@pytest.fixture(scope="session")
def running(family: ProcessGroups) -> Iterator[Provider]:
    command = [sys.executable, "-m", "tests.support.servers.oidc_provider"]
    child = family.start(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    yield Provider(child.stdout.readline().strip())
    family.stop(child)
    child.stdout.close()


@pytest.fixture
def provider(running: Provider, settings: Any) -> Provider:
    running.behave()
    configure(settings, running)
    return running
