"""The page `docs/licences.md`: each package that Token-Burn needs to run, with its licence."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from supply_chain.locked import ROOT
from supply_chain.sbom import UNDECLARED, bill

PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

Token-Burn's own licence is MIT (`LICENSE`). To run, it needs these packages; it uses them as they are published.
`make sbom` writes the same list with versions and hashes as CycloneDX. `make docs` writes this page.

| package | licence |
| -- | -- |
"""
COPYLEFT = re.compile(r"(?<!L)GPL|(?<!Lesser )General Public License", re.IGNORECASE)
"""Licences that would bind Token-Burn itself; the Lesser one does not, for a library used as it is."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="licences", description="Write docs/licences.md.")
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if it differs")
    asked = parser.parse_args(argv)
    found = [(str(part["name"]), licence(part)) for part in bill()["components"]]
    text, wrong = page(found), refused(found)
    for name, why in wrong:
        print(f"licences: {name}: {why}", file=sys.stderr)
    if asked.check and text != PAGE.read_text("utf-8"):
        print("docs/licences.md is not up to date: run make docs", file=sys.stderr)
        return 1
    if not asked.check:
        PAGE.write_text(text, "utf-8")
    return 1 if wrong else 0


def licence(part: dict[str, Any]) -> str:
    """What a component declares, in one line; empty: nothing."""
    said = [entry.get("expression") or _named(entry.get("license", {})) for entry in part.get("licenses", ())]
    return " or ".join(dict.fromkeys(filter(None, said)))


def _named(entry: dict[str, Any]) -> str:
    name = str(entry.get("id") or entry.get("name") or "").strip().partition("\n")[0]
    return name.removeprefix("License :: OSI Approved :: ").removeprefix("License :: ")


def page(found: Sequence[tuple[str, str]]) -> str:
    rows = sorted(found, key=lambda row: row[0].lower())
    return HEAD + "".join(f"| {name} | {said.replace('|', '/')} |\n" for name, said in rows)


def refused(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Packages that may not be used, with the reason."""
    none = [(name, "it declares no licence") for name, said in found if said in {"", UNDECLARED}]
    return none + [(name, f"{said} would bind Token-Burn") for name, said in found if COPYLEFT.search(said)]


if __name__ == "__main__":
    sys.exit(main())
