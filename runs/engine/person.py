"""A user with a model, params, a length and a pace of their own: for loads whose `people` say anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from runs.engine.draws import with_drawn
from runs.engine.pace import PacedWalk
from runs.engine.session import LazyRandom, Session, User
from scenarios.render import Walk

if TYPE_CHECKING:
    from runs.engine.shard import Shard


class Person(User):
    def __init__(self, shard: Shard, number: int) -> None:
        super().__init__(shard, number)
        self._think = shard.spec.load.people.think
        self._seed = shard.spec.seed
        self._params = shard.spec.target.params

    async def converse(self, planned_ns: int, session: Session) -> int:
        if session.model or session.params:
            params = with_drawn(self._params, session.model, session.params)
            self._connector.target = self.shard.target.with_params(params)
        return await super().converse(planned_ns, session)

    def _walk(self, session: Session) -> Walk:
        walk = super()._walk(session)
        if self._think is None and not session.messages:
            return walk
        rng = LazyRandom("think", self._seed, session.info["number"])
        return cast("Walk", PacedWalk(walk, session.messages, self._think, rng))
