"""`manage.py createsuperuser`, with the rules for passwords on every path."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


class Command(createsuperuser.Command):
    """Django's accepts any password from the environment with `--noinput`, and a refused one from the prompt if asked
    twice."""

    def handle(self, *args: Any, **options: Any) -> Any:
        checked: Any = _CheckedModel(self.UserModel)
        self.UserModel = checked
        return super().handle(*args, **options)


class _CheckedModel:
    """The users' model, whose manager looks at the password."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._default_manager = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, **fields: Any) -> Any:
        return self._model(**fields)

    def db_manager(self, using: str) -> _CheckedManager:
        return _CheckedManager(self._model, using)


class _CheckedManager:
    def __init__(self, model: Any, using: str) -> None:
        self._model, self._using = model, using

    def get_by_natural_key(self, name: str) -> Any:
        return self._model._default_manager.db_manager(self._using).get_by_natural_key(name)

    def create_superuser(self, **fields: Any) -> Any:
        given = {name: value for name, value in fields.items() if name != "password"}
        if fields.get("password") is not None:
            try:
                validate_password(fields["password"], self._model(**given))
            except ValidationError as exc:
                raise CommandError(f"the password is refused: {' '.join(exc.messages)} No user was created.") from exc
        return self._model._default_manager.db_manager(self._using).create_superuser(**fields)
