"""Earlier names of options: they work until 1.0, are hidden from help, and warn once on stderr."""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser, Namespace, _ActionsContainer
from collections.abc import Callable
from typing import Any

from metrics.earlier_names import warn_renamed


def add_earlier_name(group: _ActionsContainer, old: str, new: str, read: Callable[[str], Any]) -> None:
    """Let `old` do what the option `new` does; `read` is what the option's values are read with."""
    group.add_argument(
        old,
        dest=new.removeprefix("--").replace("-", "_"),
        action=_EarlierName,
        const=new,
        default=SUPPRESS,
        type=read,
        help=SUPPRESS,
    )


class _EarlierName(Action):
    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        warn_renamed(str(option_string), str(self.const))
        setattr(namespace, self.dest, values)
