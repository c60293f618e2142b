"""JMESPath with limits: a target may come from anyone, and its paths read answers inside the site.

Without them `[@,@]|[@,@]|...|to_string(@)` makes a text that doubles with each step. So each step, and what it makes,
is charged to a budget, as in templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

from bounds.templates import MAX_DEPTH, LimitError, bounded_chars
from connectors.errors import BadAnswer
from connectors.mapping.filters import Budget
from connectors.mapping.shaping import MAX_CHARS
from connectors.spec import SpecError
from inputs.json_limits import json_problem

PATH_CHARS: Final = 2000
TOO_DEEP: Final = "it is nested too deep"
SHOWN: Final = 120
"""Characters of a path that an error shows."""
_STEP: Final = 25
"""What a step takes from the budget: 400,000 steps, in about 0.3 s."""
_ITEM: Final = 2
"""What each item of a list takes that is only copied."""
_FOUND: Final = 50
"""What each value takes that is searched for."""
_TAKE_EXPRESSIONS: Final = frozenset({"map", "sort_by", "min_by", "max_by"})
_AT_ONCE: Final = frozenset({"abs", "ceil", "floor", "length", "not_null", "to_array", "type"})
_READ_ALL: Final = frozenset({"contains", "join", "max", "max_by", "min", "min_by", "sort", "sort_by", "to_string"})
"""They look into the values of a list or an object."""
_EQUALITY: Final = frozenset({"eq", "ne"})
_ORDERED: Final = frozenset({int, float, str})
_NO_VALUE: Final = (JMESPathError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
"""What a function may end in that is applied to the wrong value: the answer has no such value then."""


def compile_jmes(path: str, where: str) -> Callable[[Any], Any]:
    """A function from a decoded answer to the value at `path`, or None; it raises BadAnswer if that takes too much
    work. Raises SpecError for what is no JMESPath."""
    try:
        tree = jmespath.compile(path).parsed
        problem = _problem(tree)
    except RecursionError:
        problem = TOO_DEEP
    except (*_NO_VALUE, LookupError) as exc:
        problem = next(iter(str(exc).splitlines()), "")[:SHOWN] or type(exc).__name__
    finally:
        Parser.purge()  # it would keep the trees of 512 paths, each a thousand times as large as its text
    if problem:
        raise SpecError(f"{where}: {shown(path)} is neither a plain path nor JMESPath: {problem}")
    if tree["type"] in {"current", "identity"}:
        return lambda data: data

    def search(data: Any) -> Any:
        try:
            reader = _Reader()
            found = reader.visit(tree, data)
            charge_all(reader.budget, found)
        except LimitError as exc:
            raise BadAnswer("answer_unmatched", f"{where}: {shown(path)}: {exc}") from exc
        except _NO_VALUE:
            return None
        return found

    return search


def shown(path: str) -> str:
    return repr(path if len(path) <= SHOWN else f"{path[:SHOWN]}...")


def _problem(tree: Any) -> str:
    """Why this is no path; empty: it is one."""
    level, depth = [{"type": "root", "children": [tree]}], 0
    while level:
        if depth > MAX_DEPTH:
            return TOO_DEEP
        for node in level:
            if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
                return f"there is no function {node['value']}()"
            if node["type"] == "literal" and (wrong := json_problem(node["value"])):
                return f"a literal {wrong}"
            takes = node["type"] == "function_expression" and node["value"] in _TAKE_EXPRESSIONS
            if not takes and any(part["type"] == "expref" for part in _parts(node)):
                return f"`&` stands only in {', '.join(sorted(_TAKE_EXPRESSIONS))}"
        level, depth = [part for node in level for part in _parts(node)], depth + 1
    return ""


def _parts(node: Any) -> Iterator[Any]:
    return (part for part in node["children"] if isinstance(part, dict))


class _Reader(TreeInterpreter):
    """Reads one answer."""

    def __init__(self) -> None:
        self.budget = Budget()
        self._functions = _Charged(self.budget)
        self._dict_cls = dict

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self.budget.charge(_STEP)
        return _VISITS[node["type"]](self, node, *args, **kwargs)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._copied(super().visit_flatten(node, value))

    def visit_slice(self, node: Any, value: Any) -> Any:
        return self._copied(super().visit_slice(node, value))

    def _copied(self, items: Any) -> Any:
        self.budget.charge(_ITEM * len(items or ()))
        return items

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """As the library does it; what it compares is known only in between."""
        left, right = self.visit(node["children"][0], value), self.visit(node["children"][1], value)
        if isinstance(left, str | list | dict) and isinstance(right, str | list | dict):
            charge_all(self.budget, [left, right])
        if node["value"] not in _EQUALITY and not (type(left) in _ORDERED and type(right) in _ORDERED):
            return None
        return self.COMPARATOR_FUNC[node["value"]](left, right)


_VISITS: Final[dict[str, Callable[..., Any]]] = {
    name.removeprefix("visit_"): getattr(_Reader, name) for name in dir(_Reader) if name.startswith("visit_")
}


class _Charged(Functions):
    """JMESPath's functions, each charged for what it reads and makes."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        args = list(resolved_args)
        if function_name not in _AT_ONCE:
            for value in args:
                self._charge(function_name, value)
        if function_name == "join":
            _check_joined(*args)
        if function_name == "reverse" and args and isinstance(args[0], str):
            raise LimitError("`reverse` is for lists")  # redaction would not find a secret in a reversed text
        found = super().call_function(function_name, args)
        if isinstance(found, str):
            bounded_chars(len(found), MAX_CHARS)
            self._budget.charge(len(found))
        elif isinstance(found, list | dict):
            self._budget.charge(_ITEM * len(found))
        elif json_problem(found):
            return None  # a number that JSON has not
        return found

    def _charge(self, name: str, value: Any) -> None:
        """What a function takes for one of its arguments. Raises LimitError."""
        if isinstance(value, str):
            self._budget.charge(len(value))
        elif isinstance(value, list | dict):
            self._budget.charge(_ITEM * len(value))
            if name in _READ_ALL:
                times = len(value).bit_length() if name.startswith("sort") else 1
                charge_all(self._budget, value, times)


def charge_all(budget: Budget, value: Any, times: int = 1) -> None:
    """For all that is in `value`, however deep, which may hold one part often. Raises LimitError."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            budget.charge(times * len(item))
        elif isinstance(item, list):
            budget.charge(_FOUND * times * len(item))
            stack += item
        elif isinstance(item, dict):
            budget.charge(_FOUND * times * len(item))
            stack += item
            stack += item.values()


def _check_joined(between: Any = "", pieces: Any = (), *_: Any) -> None:
    if isinstance(between, str) and isinstance(pieces, list):
        chars = sum(len(piece) for piece in pieces if isinstance(piece, str))
        bounded_chars(chars + len(between) * len(pieces), MAX_CHARS)
