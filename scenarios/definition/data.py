"""Data pools: rows of a scenario, and the row of each conversation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from scenarios.definition.spread import Draws

MAX_ROWS: Final = 100_000
"""Rows of one pool."""
MAX_BYTES: Final = 5_000_000
"""All pools of a scenario, as JSON: they go to every engine with its order, and are kept with every run."""
Use = Literal["once", "in_turn", "random"]


class DataPool(BaseModel):
    """Rows, each a text or an object, and how conversations use them.

    `in_turn`: the first conversation of the scenario gets the first row, and after the last row comes the first
    again. `once`: the same, but the load ends with the last row. `random`: drawn for each conversation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[Any, ...] = Field(
        min_length=1,
        json_schema_extra={"items": {"type": ["string", "object"], "minLength": 1, "minProperties": 1}},
    )
    use: Use = "in_turn"
    _places: tuple[str, ...] = PrivateAttr(default=())
    _table: str = PrivateAttr(default="")

    def placed(self, places: Sequence[str], table: str = "") -> Self:
        """The same, with the place of each row in a file and the name of its `table`. Neither is stored."""
        self._places, self._table = tuple(places), table
        return self

    @property
    def table(self) -> str:
        """The name of the file whose first line names the fields; empty: it was not a table."""
        return self._table

    @property
    def places(self) -> tuple[str, ...]:
        """File and line of each row; empty for rows from elsewhere."""
        return self._places

    @model_validator(mode="after")
    def _rows_are_usable(self) -> Self:
        if len(self.rows) > MAX_ROWS:
            raise ValueError(f"{len(self.rows):,} rows: at most {MAX_ROWS:,} fit; take a sample of them (--limit)")
        for number, row in enumerate(self.rows):
            if not isinstance(row, str | dict) or not row:
                raise ValueError(f"rows[{number}]: must be a text or an object, and not empty")
        return self

    @cached_property
    def json_bytes(self) -> int:
        """Its size as JSON. Raises ValueError for data that are not JSON, or that some databases cannot store."""
        try:
            text = orjson.dumps(self.rows)
        except TypeError as exc:
            raise ValueError(f"the rows cannot be written as JSON: {exc}") from exc
        if b"\\u0000" in text and any("\x00" in str(row) for row in self.rows):
            raise ValueError("a row contains the character NUL, which databases cannot store")
        return len(text)

    def row(self, number: int, rng: Draws) -> Any:
        """The row of the scenario's conversation `number`, from 0. Raises IndexError where `once` has none left."""
        if self.use == "random":
            return self.rows[int(rng.random() * len(self.rows))]
        return self.rows[number if self.use == "once" else number % len(self.rows)]


def json_size(row: Any) -> int:
    """Its bytes in a list of rows; 0 for what is not JSON, which the pool refuses."""
    try:
        return len(orjson.dumps(row)) + 1
    except TypeError:
        return 0


def fields_of(rows: Iterable[Any]) -> frozenset[str] | None:
    """The fields that each of `rows` has: none for texts. None where a row is neither text nor object."""
    common: frozenset[str] | None = None
    for row in rows:
        if not isinstance(row, dict | str):
            return None
        fields = row.keys() if isinstance(row, dict) else ()
        common = frozenset(fields) if common is None else common.intersection(fields)
    return common


def check_size(pools: Mapping[str, DataPool]) -> None:
    """Raises ValueError if the pools are more than a run can carry."""
    total = sum(pool.json_bytes for pool in pools.values())
    if total > MAX_BYTES:
        raise ValueError(
            f"the rows are {total / 1e6:.1f} MB of JSON: at most {MAX_BYTES / 1e6:.0f} MB fit;"
            " leave out fields that nothing uses, or take a sample (--limit)"
        )


def rows_for_all(pools: Mapping[str, DataPool]) -> int | None:
    """How many conversations there can be until a pool that is used once has no row left; None: any number."""
    return min((len(pool.rows) for pool in pools.values() if pool.use == "once"), default=None)


def counts(pools: Mapping[str, DataPool]) -> bool:
    """Whether it matters which of its scenario's conversations one is."""
    return any(pool.use != "random" for pool in pools.values())
