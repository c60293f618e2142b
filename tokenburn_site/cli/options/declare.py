"""How the options of `burn` are declared: each once, as an attribute of its group's class.

`own` declares an option of the command itself, which becomes an attribute of Options. `of_load` declares one that sets
a field of the load: help, choices, default and way of writing follow from the model, which also checks the limits.

By hand: typer, cyclopts and pydantic-settings make one option of one field, named and written as the field is. Here
levels are users or rates, times and shares have units, and several options may make one field.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runs.load.profile import ClosedLoad, OpenLoad, TraceLoad
from tokenburn_site.cli.options.aliases import add_earlier_name
from tokenburn_site.cli.options.values import DURATION, RATE, WHOLE, Syntax

NULL = object()
"""The `const` of an option that sets its field to null."""
_order = count()


@dataclass(frozen=True)
class Option:
    help: str
    arguments: Mapping[str, Any]
    """Of `add_argument`."""
    flag: str = ""
    """If it is not called as its attribute is."""
    paths: tuple[str, ...] = ()
    """The field of the load that it sets, and others that it is named for in errors; empty: none."""
    earlier: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    """Its earlier names, and what reads their values."""
    order: int = field(default_factory=lambda: next(_order))

    def flag_of(self, name: str) -> str:
        return self.flag or "--" + name.replace("_", "-")


class Group:
    """A group of options, with its title in the help."""

    title: ClassVar[str]

    @classmethod
    def options(cls) -> Iterator[tuple[str, Option]]:
        """(attribute, option), in the order in which they are declared."""
        fields = getattr(cls, "__dataclass_fields__", {})
        found = {name: each.metadata["option"] for name, each in fields.items() if "option" in each.metadata}
        found |= {name: each for name, each in vars(cls).items() if isinstance(each, Option)}
        yield from sorted(found.items(), key=lambda item: item[1].order)

    @classmethod
    def add(cls, parser: ArgumentParser, spelled: Callable[[str], str] = str) -> None:
        """Add the options. `spelled` replaces fields of the load in their help by options."""
        group = parser.add_argument_group(cls.title)
        for name, option in cls.options():
            text = spelled(option.help).replace("%", "%%")
            group.add_argument(option.flag_of(name), dest=name, help=text, **option.arguments)
            for earlier, read in option.earlier.items():
                add_earlier_name(group, earlier, option.flag_of(name), read)


def own(
    help: str,
    read: Callable[[str], Any] | None = None,
    metavar: str | None = None,
    *,
    flag: str = "",
    start: Any = None,
    **more: Any,
) -> Any:
    """A field of a group that is a dataclass. `more` are arguments of `add_argument`; `start` is the value without the
    option, or a function that makes it, if it is not the usual one."""
    usual = {"store_true": False, "store_false": True, "append": ()}.get(more.get("action", ""), more.get("default"))
    start = usual if start is None else start
    metadata = {"option": Option(help, _given(type=read, metavar=metavar, **more), flag)}
    return (
        field(default_factory=start, metadata=metadata) if callable(start) else field(default=start, metadata=metadata)
    )


def of_load(
    path: str,
    syntax: Syntax | None = None,
    more: str = "",
    *,
    help: str = "",
    default: bool = False,
    also: tuple[str, ...] = (),
    earlier: Mapping[str, Callable[[str], Any]] | None = None,
    **arguments: Any,
) -> Option:
    """The option that sets this field of the load. Its help is the first sentence of the field's description, or
    `help`, then `more` and with `default` the field's default. `also`: other fields that errors call by this option."""
    info = load_field(path)
    syntax = syntax or _syntax(path, info)
    choices = _choices(info.annotation) if "action" not in arguments else None
    if default:
        more += f"; default {syntax.shown(info.default)}"
    kinds = {} if "const" in arguments else {"type": syntax.read, "metavar": syntax.metavar, "choices": choices}
    return Option((help or _described(info)) + more, _given(**{**kinds, **arguments}), "", (path, *also), earlier or {})


def load_field(path: str) -> FieldInfo:
    """The field of the load with that path."""
    first, *rest = path.split(".")
    info = next(kind.model_fields[first] for kind in (ClosedLoad, OpenLoad, TraceLoad) if first in kind.model_fields)
    for name in rest:
        models = (info.annotation, *get_args(info.annotation))
        model = next(each for each in models if isinstance(each, type) and issubclass(each, BaseModel))
        info = model.model_fields[name]
    return info


def _syntax(path: str, info: FieldInfo) -> Syntax:
    if _choices(info.annotation):
        return Syntax(None, None)
    return RATE if path.endswith("_per_s") else DURATION if path.endswith("_s") else WHOLE


def _choices(annotation: Any) -> tuple[str, ...] | None:
    return get_args(annotation) if get_origin(annotation) is Literal else None


def _described(info: FieldInfo) -> str:
    sentence = (info.description or "").split(". ")[0].removesuffix(".")
    return sentence[:1].lower() + sentence[1:]


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
