"""Loads stored targets and scenarios by name for `burn`."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.spec import SpecError, TargetSpec, merge
from scenarios.definition.data import DataPool
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers import check_attached
from scenarios.models import Scenario
from sealing.secrets import SecretsError
from targets.models import Target
from targets.services import target_spec
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options

SHOWN = 8


def stored_target(options: Options) -> TargetSpec:
    """The target of --target, with --stream, --param and --stamp applied. Raises BadUsage."""
    try:
        row = Target.objects.get(name=options.target)
    except Target.DoesNotExist as exc:
        raise BadUsage(_no_target(options.target or "")) from exc
    row.params = {**row.params, **options.params}
    row.overrides = merge(row.overrides, options.overrides)
    row.stream = row.stream or options.stream
    try:
        spec = target_spec(row, with_secrets=True)
    except (SpecError, SecretsError) as exc:
        raise BadUsage(f"target {row.name!r}: {exc}") from exc
    if options.stamp:
        spec = spec.model_copy(update={"response": spec.response.model_copy(update={"stamp": options.stamp})})
    return spec


def _no_target(name: str) -> str:
    names = list(Target.objects.order_by("name").values_list("name", flat=True)[: SHOWN + 1])
    if not names:
        return f"there is no target {name!r}, and none is stored yet: use --url and --preset, or add it in the admin"
    more = ", ..." if len(names) > SHOWN else ""
    return f"there is no target {name!r}: choose one of {', '.join(names[:SHOWN])}{more}"


def stored_scenario(name: str, data: Mapping[str, DataPool]) -> ScenarioSpec | None:
    """The stored scenario of this name, with its pools; scenarios of the library come from the code. Raises
    BadUsage."""
    row = Scenario.objects.filter(name=name, builtin=False).first()
    if row is None:
        return None
    try:
        return check_attached(row.spec, data)
    except ScenarioError as exc:
        raise BadUsage(f"the stored scenario {name!r}: {exc}") from exc
