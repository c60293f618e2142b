"""What `probe` says on stderr while a target is silent: a test can take as long as the target's time limits allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from connectors.preset_info import PresetInfo
from connectors.spec import TargetSpec
from tokenburn_site.cli.console import say

AFTER_S: Final = 5.0


@contextmanager
def said_to_wait(spec: TargetSpec, preset: PresetInfo | None, *, after_s: float = AFTER_S) -> Iterator[None]:
    """One line, if what is done meanwhile takes longer."""
    timer = threading.Timer(after_s, say, ("probe", _why(spec, preset)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _why(spec: TargetSpec, preset: PresetInfo | None) -> str:
    limits = spec.timeouts
    text = f"still waiting for {spec.url}: {limits.first_byte:g} s for a first byte, {limits.total:g} s for a turn"
    defaults = _defaults(preset.needs, spec.params) if preset is not None else []
    if preset is not None and defaults:
        text += f"; {preset.name} is asked with {' '.join(defaults)}, which may be others here"
    return f"{text}; Ctrl-C ends the test"


def _defaults(needs: Mapping[str, str], params: Mapping[str, Any]) -> list[str]:
    """Params that the preset's needs name, where they are still its own examples."""
    return [f"--param {name}={example}" for name, example in needs.items() if str(params.get(name)) == example]
