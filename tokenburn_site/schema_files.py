"""`python -m tokenburn_site.schema_files` writes docs/schemas/ from the types; `--check` names files out of date.

A file is named after its contract and version. Within a version keys may be added, so a reader passes over keys that it
does not know; a key that goes or changes its meaning makes a new version and a new file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from metrics.report_schema import REPORT_VERSION, RunReport
from runs.engine.core.messages import PROTOCOL_VERSION, commands, events
from runs.engine.recording.ledger_lines import LEDGER_VERSION, LedgerLine
from runs.load.profile import LoadProfile

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "schemas"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
LOAD_VERSION: Final = 1
CONTRACTS: Final[Mapping[str, tuple[int, Callable[[], TypeAdapter[Any]]]]] = {
    "report": (REPORT_VERSION, lambda: TypeAdapter(RunReport)),
    "ledger-line": (LEDGER_VERSION, lambda: TypeAdapter(LedgerLine)),
    "load": (LOAD_VERSION, lambda: TypeAdapter(LoadProfile)),
    "engine-command": (PROTOCOL_VERSION, lambda: commands),
    "engine-event": (PROTOCOL_VERSION, lambda: events),
}
"""By name: the version, and the types."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a contract, as it is written."""
    version, adapter = CONTRACTS[name]
    found = adapter().json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": f"token-burn/{name}.v{version}", "title": f"Token-Burn: {name}", **found}


def files() -> dict[Path, str]:
    """Every file with its text."""
    found = {}
    for name, (version, _) in CONTRACTS.items():
        text = json.dumps(schema(name), indent=2, ensure_ascii=False)
        found[FOLDER / f"{name}.v{version}.json"] = f"{text}\n"
    return found


def out_of_date() -> list[str]:
    """Names of files that are missing or differ from the types."""
    return [path.name for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]


def main(argv: list[str]) -> int:
    if argv == ["--check"]:
        for name in (wrong := out_of_date()):
            sys.stderr.write(f"docs/schemas/{name} is not up to date: run make docs\n")
        return int(bool(wrong))
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
