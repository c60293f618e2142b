"""Changes of one place in a module, drawn by a seed: the operators are Cosmic Ray's."""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

from tests.mutate.subjects import Module, modules

Place = tuple[Module, Operator, int]
"""An operator, and which of the places where it can change the module."""


@dataclass(frozen=True)
class Mutant:
    module: Module
    code: str

    @property
    def line(self) -> int:
        """The number of the first line that is changed."""
        return int(self._difference[2].split()[1].lstrip("-").split(",")[0])

    @property
    def change(self) -> str:
        """The lines that go (-) and come (+), without their indent."""
        return " ".join(f"{line[0]}{line[1:].strip()}" for line in self._difference[2:] if line[0] in "+-")

    @property
    def key(self) -> str:
        """The same for the same change of the same program, whatever its comments and docstrings say."""
        return hashlib.sha256(f"{self.module.name}\0{_meaning(self.code)}".encode()).hexdigest()[:16]

    @cached_property
    def _difference(self) -> list[str]:
        before = self.module.path.read_text("utf-8").splitlines()
        return [*difflib.unified_diff(before, self.code.splitlines(), lineterm="", n=0)]


def drawn(names: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """So many, shared evenly by the subjects; one that has fewer leaves its share to the others.

    What is drawn of a subject depends on the seed and its own code only.
    """
    pools = []
    for name in names:
        pools.append([place for module in modules(name) for place in _places(module)])
        Random(f"{seed} {name}").shuffle(pools[-1])
    found: list[Mutant] = []
    while len(found) < count and any(pools):
        found += [mutant for pool in pools if (mutant := _next(pool)) is not None]
    return found[:count]


def _next(pool: list[Place]) -> Mutant | None:
    """The next one that means something, or None."""
    while pool:
        module, operator, occurrence = pool.pop()
        before = module.path.read_text("utf-8")
        try:
            code = mutate_code(before, operator, occurrence)
        except AttributeError:  # Cosmic Ray's ExceptionReplacer knows plain names only, not `except socket.timeout`
            continue
        if code is not None and _meaning(code) not in (None, _meaning(before)):
            return Mutant(module, code)
    return None


ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv"}
ORDER = {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}
IDENTITY = {"Is", "IsNot"}


def _operators() -> Iterator[Operator]:
    """Those whose changes somebody might make by mistake: a sum that becomes a shift fails in every test that meets
    it, and says nothing of them."""
    provider = OperatorProvider()
    for name in provider:
        kind, *pair = name.split("_")
        likely = any(set(pair) <= group for group in (ARITHMETIC, ORDER, IDENTITY))
        is_swap = kind in {"ReplaceBinaryOperator", "ReplaceComparisonOperator"}
        if not provider[name].arguments() and (likely or not is_swap):
            yield provider[name]()


def _places(module: Module) -> Iterator[Place]:
    nodes = [*ast_nodes(get_ast(module.path.read_text("utf-8")))]
    for operator in _operators():
        positions = [position for node in nodes for position in operator.mutation_positions(node)]
        yield from ((module, operator, occurrence) for occurrence in range(len(positions)))


def _meaning(code: str) -> str | None:
    """The program without docstrings, and without annotations, which nothing evaluates; None for what is no program."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(0)
    return ast.dump(tree)
