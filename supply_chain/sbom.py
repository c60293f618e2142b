"""The bill of materials as CycloneDX, `make sbom`: what `requirements.txt` pins, with hashes and licences, and scripts
of others in the tree."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from supply_chain.locked import ROOT, RUNTIME, direct_names, pins

SPEC_VERSION = "1.6"
UNDECLARED = "not declared"
OUTPUT = ROOT / "var" / "sbom.cdx.json"
LICENCES_OF_SCRIPTS = {"MIT License": "MIT", "The MIT License (MIT)": "MIT", "BSD Zero Clause License": "0BSD"}
"""SPDX id by the first line of the licence."""


class Incomplete(Exception):
    """The environment does not have what the lock file pins; the message says what."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sbom", description="Write the bill of materials as CycloneDX JSON.")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="default: var/sbom.cdx.json")
    asked = parser.parse_args(argv)
    try:
        document = bill()
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
    except (Incomplete, OSError) as exc:
        print(f"sbom: {exc}", file=sys.stderr)
        return 1
    print(f"{asked.output}: CycloneDX {SPEC_VERSION}, {len(document['components'])} components")
    return 0


def bill() -> dict[str, Any]:
    """The document. Raises Incomplete where the environment differs from the lock file."""
    document = _environment()
    pinned = {pin.name: pin for pin in pins(RUNTIME) if pin.installed_here}
    parts: dict[str, Any] = {canonicalize_name(part["name"]): part for part in document["components"]}
    wrong = [name for name, pin in pinned.items() if parts.get(name, {}).get("version") != pin.version]
    if wrong:
        raise Incomplete(f"not installed as requirements.txt pins them: {', '.join(wrong)}: run make setup-dev")
    for name, pin in pinned.items():
        if not parts[name].get("licenses"):  # the tool skips what is not an SPDX id
            parts[name]["licenses"] = [{"license": {"name": _declared(name)}}]
        parts[name]["properties"] = [{"name": "tokenburn:sha256", "value": digest} for digest in pin.sha256]
    scripts = list(vendored())
    refs = {parts[name]["bom-ref"]: name for name in pinned}
    root = document["metadata"]["component"]["bom-ref"]
    edges = [edge for edge in document["dependencies"] if edge["ref"] in refs]
    for edge in edges:
        edge["dependsOn"] = [ref for ref in edge.get("dependsOn", ()) if ref in refs]
    direct = [parts[name]["bom-ref"] for name in direct_names(RUNTIME.with_suffix(".in"))]
    edges.append({"ref": root, "dependsOn": sorted([*direct, *(part["bom-ref"] for part in scripts)])})
    document["components"] = [*(parts[name] for name in sorted(pinned)), *scripts]
    document["dependencies"] = sorted(edges, key=lambda edge: str(edge["ref"]))
    return document


def _declared(name: str) -> str:
    """The licence in the package's own words."""
    said: list[str] = metadata.metadata(name).get_all("License") or [UNDECLARED]
    return said[0]


def vendored() -> Iterator[dict[str, Any]]:
    """Scripts of others in the tree: each folder `static/vendor/NAME-VERSION` has its licence beside it. Raises
    Incomplete for a licence that `LICENCES_OF_SCRIPTS` does not know."""
    for folder in sorted(ROOT.glob("*/static/vendor/*-*/")):
        name, _, version = folder.name.rpartition("-")
        first = (folder / "LICENSE").read_text("utf-8").strip().splitlines()[0].strip()
        if first not in LICENCES_OF_SCRIPTS:
            raise Incomplete(f"{folder.name}: add the licence {first[:80]!r} to LICENCES_OF_SCRIPTS")
        yield {
            "type": "library",
            "bom-ref": folder.name,
            "name": name,
            "version": version,
            "purl": f"pkg:npm/{name.lower()}@{version}",
            "licenses": [{"license": {"id": LICENCES_OF_SCRIPTS[first]}}],
        }


def _environment() -> dict[str, Any]:
    """All that is installed, as the CycloneDX tool tells it."""
    tool = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "environment", sys.executable, "-o", "-"]
    given = [
        "--output-reproducible",
        "--no-validate",
        "--sv",
        SPEC_VERSION,
        "--pyproject",
        str(ROOT / "pyproject.toml"),
    ]
    done = subprocess.run([*tool, *given], capture_output=True, check=False)
    if done.returncode:
        raise Incomplete(done.stderr.decode(errors="replace").strip()[-500:])
    document: dict[str, Any] = json.loads(done.stdout)
    return document


if __name__ == "__main__":
    sys.exit(main())
