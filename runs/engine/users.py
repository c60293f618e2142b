"""Which kind of user a load needs: decided once, so that a run without `people` pays nothing for them."""

from __future__ import annotations

from runs.engine.patience import ImpatientPerson
from runs.engine.people import People
from runs.engine.person import Person
from runs.engine.session import User


def user_class(people: People) -> type[User]:
    if people.patience is not None:
        return ImpatientPerson
    if people.draws_params or people.first_messages is not None or people.think is not None:
        return Person
    return User
