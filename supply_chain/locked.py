"""The packages that a lock file pins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements.txt"
LOCKS = tuple(ROOT / f"requirements{kind}.txt" for kind in ("", "-dev", "-bench", "-peers"))
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pin(NamedTuple):
    """One pinned package; `name` in its normalised form. `marker`: where it is installed; empty: everywhere."""

    name: str
    version: str
    sha256: tuple[str, ...]
    marker: str

    @property
    def installed_here(self) -> bool:
        return not self.marker or Marker(self.marker).evaluate()


def pins(path: Path) -> list[Pin]:
    """All pins of a lock file. Raises ValueError naming a line that is no pin."""
    found = []
    for entry in path.read_text("utf-8").replace("\\\n", " ").splitlines():
        line = entry.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        asked = Requirement(line.partition("--hash")[0].strip())
        exact, *more = [*asked.specifier, None]
        if exact is None or more != [None] or exact.operator != "==":
            raise ValueError(f"{path.name}: {line[:80]!r} does not pin one version")
        hashes = tuple(_HASH.findall(line))
        found.append(Pin(canonicalize_name(asked.name), exact.version, hashes, str(asked.marker or "")))
    return found


def direct_names(path: Path) -> list[str]:
    """Names that a `requirements*.in` file asks for, without what comes with them."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("-")]
