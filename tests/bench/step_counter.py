"""`python -m tests.bench.step_counter FILE`: an engine that writes how many steps each of its functions took.

A step is what the interpreter of Python 3.11 dispatches: an instruction of the bytecode, or a pair that it runs as one.
"""

from __future__ import annotations

import json
import opcode
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import uvloop

import runs.engine.__main__ as engine
from connectors.wire.transport.clock import keep_stamping
from runs.engine.malloc import keep_freed_memory

_NUMBER: Final = opcode.opmap
AS_ONE: Final = frozenset(
    (_NUMBER[first], _NUMBER[second])
    for first, second in (
        ("LOAD_FAST", "LOAD_FAST"),
        ("LOAD_FAST", "LOAD_CONST"),
        ("LOAD_CONST", "LOAD_FAST"),
        ("STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST", "STORE_FAST"),
    )
)


class StepCounter:
    """Set as the trace function of a thread."""

    def __init__(self) -> None:
        self.calls: Counter[CodeType] = Counter()
        self._steps: dict[CodeType, Counter[int]] = {}
        """Of each function, by the offset of the instruction."""

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        function = frame.f_code
        self.calls[function] += 1
        steps, instructions = self._steps.setdefault(function, Counter()), function.co_code
        before, code_before = -1, -1

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before, code_before
            if event == "opcode":
                at = frame.f_lasti
                code = instructions[at]
                if before == at - 2 and (code_before, code) in AS_ONE:
                    before = -1
                else:
                    steps[at] += 1
                    before, code_before = at, code
            return trace

        return trace

    def found(self) -> list[list[Any]]:
        """File, name, calls and steps of each function, and its steps by line."""
        rows = []
        for function, steps in self._steps.items():
            lines = [line for line, *_ in function.co_positions()]
            by_line: Counter[int] = Counter()
            for at, count in steps.items():
                by_line[lines[at // 2] or 0] += count
            name, calls = function.co_qualname, self.calls[function]
            rows.append([function.co_filename, name, calls, steps.total(), dict(by_line)])
        return rows


def main() -> None:
    keep_freed_memory()
    kept = keep_stamping()
    counter = StepCounter()
    sys.settrace(counter)
    try:
        uvloop.run(engine._main())
    finally:
        sys.settrace(None)
        Path(sys.argv[1]).write_text(json.dumps(counter.found()), "utf-8")
        kept.close()


if __name__ == "__main__":
    main()
