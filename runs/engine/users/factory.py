"""Chooses the kind of user for a load once, so that plain users pay nothing for the features of others."""

from __future__ import annotations

from runs.engine.users.base import User
from runs.engine.users.impatient import ImpatientUser
from runs.engine.users.paced import PacedUser
from runs.load.users import UserProfile


def user_class(users: UserProfile) -> type[User]:
    """The simplest class that supports the features of the `user_profile`."""
    if users.patience is not None:
        return ImpatientUser
    if users.draws_params or users.first_messages is not None or users.think is not None:
        return PacedUser
    return User
