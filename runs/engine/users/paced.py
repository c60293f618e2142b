"""A user with drawn model, params, conversation length and pace."""

from __future__ import annotations

from typing import cast

from runs.engine.core.context import UserContext
from runs.engine.core.session import Session
from runs.engine.users.base import User
from runs.load.draws.lazy_random import LazyRandom
from runs.load.draws.pacing import PacedWalk
from runs.load.draws.sampling import with_drawn
from scenarios.render.walk import Walk


class PacedUser(User):
    def __init__(self, shard: UserContext, number: int) -> None:
        super().__init__(shard, number)
        self._think = shard.spec.load.user_profile.think
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
