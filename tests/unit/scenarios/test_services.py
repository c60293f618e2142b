from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from scenarios.definition.spec import parse_scenario
from scenarios.importers import library
from scenarios.models import Scenario
from scenarios.services import sync_after_migrate, sync_library

pytestmark = pytest.mark.django_db


def test_a_migrated_database_has_the_library_and_a_second_sync_writes_nothing() -> None:
    rows = {row.name: row for row in Scenario.objects.filter(builtin=True)}
    assert set(rows) == {spec.name for spec in library()}
    for spec in library():
        assert parse_scenario(rows[spec.name].spec) == spec
        assert rows[spec.name].description == spec.description
    assert sync_library() == 0


def test_a_changed_or_missing_library_row_is_renewed() -> None:
    Scenario.objects.filter(name="rapid-fire").update(spec={}, description="old")
    Scenario.objects.filter(name="long-conversation").delete()
    assert sync_library() == 2
    assert Scenario.objects.get(name="rapid-fire").spec["steps"]
    assert Scenario.objects.get(name="long-conversation").builtin


def test_somebodys_own_row_of_a_library_name_is_left_alone() -> None:
    own = {"name": "rapid-fire", "steps": [{"do": "say", "text": "mine"}]}
    Scenario.objects.filter(name="rapid-fire").update(builtin=False, spec=own, description="mine")
    assert sync_library() == 0
    row = Scenario.objects.get(name="rapid-fire")
    assert (row.spec, row.description, row.builtin) == (own, "mine", False)


def test_migrate_brings_the_library_back() -> None:
    Scenario.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert Scenario.objects.count() == len(library())


def test_a_database_without_the_table_is_left_alone() -> None:
    from django.apps.registry import Apps

    Scenario.objects.all().delete()
    sync_after_migrate("default", Apps())
    assert Scenario.objects.count() == 0


def test_a_scenario_is_checked_with_its_templates() -> None:
    row = Scenario(name="x", spec={"name": "x", "steps": [{"do": "say", "text": "{{ nope }}"}]})
    with pytest.raises(ValidationError) as caught:
        row.full_clean()
    assert "steps[0].text: 'nope' is not known here" in caught.value.message_dict["spec"][0]
