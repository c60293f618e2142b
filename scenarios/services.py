"""Operations on stored scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast, get_args

from django.apps.registry import Apps
from django.db import models, transaction

from scenarios.definition.data import Use
from scenarios.definition.spec import ScenarioError
from scenarios.importers import Sample, Source, Wanted, import_scenarios, library, of_header, read_pool
from scenarios.models import Scenario
from scenarios.render.walk import check_scenario

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

UPLOAD_BYTES: Final = 50_000_000


class Imported(NamedTuple):
    """`notes` say what of the file was left out."""

    scenarios: list[Scenario]
    notes: list[str]


def import_file(source: Source, *, name: str = "", sample: Sample | None = None) -> Imported:
    """Keep the scenarios of a file (docs/importing.md); `name` is for a file that holds one. Raises ScenarioError."""
    wanted = Wanted(sample=sample)
    specs = import_scenarios(source, wanted)
    if name and len(specs) > 1:
        raise ScenarioError(f"{source.name}: holds {len(specs)} scenarios, which have names of their own")
    if name:
        specs = [specs[0].model_copy(update={"name": name})]
    taken = Scenario.objects.filter(name__in=[spec.name for spec in specs]).values_list("name", flat=True)
    if taken:
        raise ScenarioError(f"{source.name}: there is a scenario named {taken[0]!r} already: give another name")
    rows = [Scenario(name=s.name, description=s.description, spec=s.model_dump(mode="json")) for s in specs]
    with transaction.atomic():
        for row in rows:
            row.save(force_insert=True)
    return Imported(rows, wanted.notes)


def import_data(
    scenario: Scenario, pool: str, source: Source, use: Use = "in_turn", sample: Sample | None = None
) -> Imported:
    """Give a scenario the rows of a file as its data `pool`, in place of what had that name. Raises ScenarioError."""
    if scenario.builtin:
        raise ScenarioError(f"{scenario.name} belongs to the library: create a copy of it and change that")
    rows = read_pool(source, use, sample)
    pools = {**(scenario.spec.get("data") or {}), pool: rows.model_dump(mode="json")}
    try:
        spec = check_scenario({**scenario.spec, "data": pools})
    except ScenarioError as exc:
        raise ScenarioError(f"{exc}{of_header(str(exc), {pool: rows})}") from exc
    scenario.spec = spec.model_dump(mode="json")
    scenario.save(update_fields=["spec", "updated_at"])
    return Imported([scenario], [])


def take_in(
    upload: UploadedFile[Any],
    *,
    name: str = "",
    scenario: Scenario | None = None,
    pool: str = "",
    use: str = "in_turn",
    limit: int | None = None,
    seed: int = 0,
) -> Imported:
    """Import an uploaded file as a new scenario, or as data of `scenario`. Raises ScenarioError."""
    if (upload.size or 0) > UPLOAD_BYTES:
        most = UPLOAD_BYTES // 1_000_000
        raise ScenarioError(f"{upload.name}: has more than {most} MB: take a sample of it with `burn --limit`")
    source, sample = Source(upload.name or "upload", cast("BinaryIO", upload)), Sample(limit, seed)
    if scenario is None:
        return import_file(source, name=name, sample=sample)
    if use not in get_args(Use):
        raise ScenarioError(f"use: must be one of {', '.join(get_args(Use))}")
    return import_data(scenario, pool, source, cast("Use", use), sample)


def sync_library(using: str = "default", model: type[models.Model] = Scenario) -> int:
    """Update the stored library to the code's: create what is missing, update what has changed.

    A row of somebody's own is left alone, even if it has the name of a library scenario. A library scenario that
    no longer comes with the code stays: plans may use it. Returns how many rows were written.

    `model` is the Scenario of the state that a migration has reached.
    """
    written = 0
    rows: models.Manager[Any] = model._default_manager
    with transaction.atomic(using=using):
        for spec in library():
            fields = {"description": spec.description, "spec": spec.model_dump(mode="json")}
            row, created = rows.using(using).get_or_create(name=spec.name, defaults={**fields, "builtin": True})
            changed = row.builtin and any(getattr(row, name) != value for name, value in fields.items())
            if changed:
                for name, value in fields.items():
                    setattr(row, name, value)
                row.save(using=using, update_fields=[*fields, "updated_at"])
            written += created or changed
    return written


def sync_after_migrate(using: str, apps: Apps | None = None, **_: object) -> None:
    """The receiver of post_migrate: it comes after `migrate` and `flush`, on a database at any state of migration."""
    if apps is None:
        sync_library(using)
        return
    try:
        model = apps.get_model("scenarios", "Scenario")
    except LookupError:  # migrated back to nothing
        return
    sync_library(using, model)
