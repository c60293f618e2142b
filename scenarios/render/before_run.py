"""What is known of a scenario's attachments before the run. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator

from scenarios.definition.spec import ScenarioError, ScenarioSpec, say_steps
from scenarios.render.attached import Attached
from scenarios.render.cells import only_pool
from scenarios.render.program import SayOp, compile_program
from scenarios.render.walk import CompiledScenario
from scenarios.template.compiler import Scope


def prepare(scenario: CompiledScenario) -> bool:
    """Make the files that go with its messages, which takes time. Returns whether there are any attachments."""
    all_attached = [op.attached for op in scenario.ops if isinstance(op, SayOp) and op.attached is not None]
    for attached in all_attached:
        attached.prepare()
    return bool(all_attached)


def sent_kinds(spec: ScenarioSpec) -> dict[str, str]:
    """By kind, where the first one is attached; "": one whose kind only the run decides. Empty: the scenario attaches
    nothing. Raises ScenarioError."""
    found: dict[str, str] = {}
    if not any(step.attachments for _, step in say_steps(spec.steps)):
        return found
    for op in compile_program(spec).ops:
        if isinstance(op, SayOp) and op.attached is not None:
            for kind in _kinds(spec, op.attached):
                found.setdefault(kind, f"{op.path}.attachments")
    return found


def _kinds(spec: ScenarioSpec, attached: Attached) -> Iterator[str]:
    """Those that are fixed, and those of all rows."""
    for file in attached.fixed:
        yield file.variant(0).kind
    if not attached.source:
        return
    pool = only_pool(attached.source)
    for number, row in enumerate(spec.data[pool].rows if pool in spec.data else ()):
        scope = Scope(random.Random(0), {"id": "", "number": number, "user": 0}, {})
        scope.data = {name: other.rows[0] for name, other in spec.data.items()} | {str(pool): row}
        try:
            for attachment in attached.of(scope):
                yield attachment.kind
        except ScenarioError:
            break  # reported for what it is
    yield ""
