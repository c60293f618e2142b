"""Each code's advice is true of the case that raises it: a table of cases, raised for real against a small server.

A code that exists and has no row fails `test_every_code_has_a_case`.
"""

from __future__ import annotations

import ast
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.errors import TurnError
from connectors.mapping.unset import explained
from connectors.registry import Lane
from metrics.report import advice as table
from metrics.report.advice import advice
from tests.hostile.http2.reference import REFERENCE
from tests.hostile.server import HostileServer
from tests.integration.connectors.advice_cases import CASES, MADE, ROOT, Case, Told
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec
from tests.support.services import reserve_port


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def served(case: Case, authority: trustme.CA, folder: Path) -> Iterator[tuple[str, Told]]:
    """The target's URL, and what its TLS needs."""
    if case.script is None:
        yield case.url.format(free=reserve_port()), {}
        return
    context, told = None, dict[str, Any]()
    if case.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        if case.tls.startswith("mutual"):
            context.verify_mode = ssl.CERT_REQUIRED
            authority.configure_trust(context)
            authority.cert_pem.write_to_path(str(folder / "ca.pem"))
            told = {"tls": {"ca_file": str(folder / "ca.pem")}}
            context.maximum_version = ssl.TLSVersion.TLSv1_2
    with HostileServer(case.script, context) as server:
        yield case.url.format(port=server.port) or server.url, told


def raised(case: Case, lane: Lane, authority: trustme.CA, folder: Path) -> TurnError:
    with served(case, authority, folder) as (url, told):
        spec = make_spec(case.protocol, url, **({"timeouts": ROOMY} | told | case.spec))
        with Client(lane, spec) as client:
            for _ in range(case.turns):
                turn = client.say()
            error = turn.error
            assert error is not None, turn
            return explained(error, client.target.unset_secrets)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_advice_is_true_of_the_case(case: Case, lane: Lane, authority: trustme.CA, tmp_path: Path) -> None:
    if lane == "reference" and case.name in REFERENCE:
        return  # it has another code there
    error = raised(case, lane, authority, tmp_path)
    assert error.code == case.code, error
    general = advice(error.code)
    shown = f"{error.detail}; {error.advice or general}"
    for words in case.says:
        assert words in f"{shown}; {general}", shown
    for words in case.lies:
        assert words not in f"{shown}; {general}", shown
    assert general, "a report has a line for it"
    assert "\n" not in shown and len(general) < 120


@pytest.mark.parametrize(("made", "says"), MADE, ids=lambda made: str(made)[:40])
def test_what_no_server_raises_has_advice_too(made: TurnError | str, says: tuple[str, ...]) -> None:
    general = advice(made if isinstance(made, str) else made.code)
    assert general
    for words in says:
        assert words in general


def test_every_code_has_a_case() -> None:
    cases = {case.code for case in CASES} | {made if isinstance(made, str) else made.code for made, _ in MADE}
    exist = set(_raised_in_the_source()) | set(_in_the_docstring()) | set(table._BY_CODE)
    assert not {code for code in exist - cases if not code.endswith("_")}
    families = {begin for begin, _ in table._BY_BEGINNING} | {code for code in exist if code.endswith("_")}
    for begin in families:
        assert any(
            code.startswith(begin) and (code not in table._BY_CODE or begin not in table._BY_CODE) for code in cases
        ), begin


ERRORS = frozenset({"TurnError", "ConnectFailed", "TimedOut", "BrokenTransport", "TooLarge", "BadAnswer", "BadRequest"})


def _raised_in_the_source() -> Iterator[str]:
    """The first argument of each error that is made; of a family its beginning."""
    for path in [*ROOT.glob("connectors/**/*.py"), *ROOT.glob("runs/engine/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                first = node.args[0]
                if isinstance(first, ast.JoinedStr):
                    first = first.values[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def _in_the_docstring() -> Iterator[str]:
    from connectors import errors

    for word in (errors.__doc__ or "").replace(",", " ").replace(":", " ").split():
        if "_" in word and word.islower():
            yield word.partition("<")[0]
