"""The bill of materials and the page of licences are complete."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator, Registry
from packaging.utils import canonicalize_name

from supply_chain import licences, sbom
from supply_chain.locked import LOCKS, RUNTIME, Pin, direct_names, pins


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    """The tool takes seconds to find it."""
    return sbom._environment()


@pytest.fixture
def asked_once(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "_environment", lambda: deepcopy(environment))


@pytest.fixture
def bill(asked_once: None) -> dict[str, Any]:
    return sbom.bill()


def schema(name: str) -> Any:
    """Of CycloneDX, as its library has it. That library's own validator takes 20 s."""
    return json.loads((files("cyclonedx.schema") / "_res" / f"{name}.SNAPSHOT.schema.json").read_text("utf-8"))


def test_the_bill_is_valid_cyclonedx(bill: dict[str, Any]) -> None:
    parts = ("spdx", "cryptography-defs", "jsf-0.82")
    known = Registry([(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schema(name)) for name in parts])
    validator = Draft7Validator(schema(f"bom-{sbom.SPEC_VERSION}"), registry=known, validate_formats=True)
    assert [error.message[:300] for error in validator.iter_errors(bill)] == []
    bill["components"][0]["licenses"] = [{"license": {"id": "no SPDX id"}}]
    assert not validator.is_valid(bill)


def test_the_bill_has_each_pinned_package_with_its_hashes_and_licence(bill: dict[str, Any]) -> None:
    parts: dict[tuple[str, str], Any] = {
        (canonicalize_name(part["name"]), part["version"]): part for part in bill["components"]
    }
    for pin in pins(RUNTIME):
        if pin.installed_here:
            part = parts.pop((pin.name, pin.version))
            assert {entry["value"] for entry in part["properties"]} == set(pin.sha256)
            assert part["licenses"]
            assert part["purl"].startswith("pkg:pypi/")
    assert [part["name"] for part in parts.values()] == [entry["name"] for entry in sbom.vendored()]


def test_the_bill_tells_what_needs_what(bill: dict[str, Any]) -> None:
    edges = {edge["ref"]: set(edge.get("dependsOn", ())) for edge in bill["dependencies"]}
    names = {part["bom-ref"]: part["name"].lower() for part in bill["components"]}
    root = bill["metadata"]["component"]["bom-ref"]
    direct = {names[ref] for ref in edges[root]}
    assert {"django", "celery", "uplot"} <= direct
    assert len(direct) == len(direct_names(RUNTIME.with_suffix(".in"))) + len(list(sbom.vendored()))
    reached, new = set[str](), {root}
    while new:
        reached |= new
        new = {ref for known in new for ref in edges.get(known, ())} - reached
    assert reached - {root} == set(names), "each component is needed by something"


@pytest.mark.usefixtures("asked_once")
def test_an_environment_that_differs_from_the_lock_makes_no_bill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sbom, "pins", lambda _path: [Pin("django", "1.0", (), ""), Pin("nowhere", "1", (), "")])
    assert sbom.main(["--output", str(tmp_path / "bill.json")]) == 1
    assert "not installed as requirements.txt pins them: django, nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("asked_once")
def test_the_page_of_licences_is_up_to_date() -> None:
    assert licences.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "it declares no licence"),
        (sbom.UNDECLARED, "it declares no licence"),
        ("GPL-3.0-only", "would bind"),
        ("AGPL-3.0-or-later", "would bind"),
        ("GNU General Public License v2", "would bind"),
        ("LGPL-3.0-only", ""),
        ("GNU Lesser General Public License v3", ""),
        ("MIT", ""),
    ],
)
def test_some_licences_are_refused(said: str, why: str) -> None:
    found = licences.refused([("package", said)])
    assert [reason for _, reason in found if why in reason] == ([found[0][1]] if why else [])
    assert bool(found) is bool(why)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_of_every_lock_file_has_hashes(path: Path) -> None:
    assert [pin.name for pin in pins(path) if not pin.sha256] == []
