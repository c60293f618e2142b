"""`make fuzz`: does any of 100,000 inputs break the product, hang it, or make its memory grow?

Each kind of input (`tests/fuzz/table.py`) is drawn by hypothesis here and taken in a process of its own, which has a
database and a broker. An input must end in an answer or in a refusal of that kind: every other exception, and every
status 500, is a fault, as is more than 2 s of processor time. Prints each fault with its input, a table, and the
memory of that process before, on the way and at the end. The exit code is 1 after any fault, or if memory grew.

`--only KIND --seed S --inputs N` repeats the inputs of a kind.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

SLOW_S: Final = 2.0
HUNG_S: Final = 60.0
BUSY_S: Final = 600.0
"""Until many inputs at once are taken to hang: the machine may be busy with other things."""
AT_ONCE: Final = 50
"""Inputs that the process gets with one message."""
BATCH: Final = 250
"""Inputs of one kind, before it is another one's turn."""
GROWN_MB: Final = 40.0
"""By which the process may grow between the measurement after a quarter of the inputs and the end."""


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
    import django

    django.setup()
    given = _arguments()
    sys.setrecursionlimit(20_000)  # inputs that are nested deep have to be pickled
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        _start_broker(stack)
        session = Session(given, stack)
        try:
            session.hold()
        except KeyboardInterrupt:
            print("interrupted: these are not all of them")
        return session.told()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    from tests.fuzz.table import KINDS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="how many in all (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    parser.add_argument("--only", nargs="*", choices=list(KINDS), metavar="KIND", help="kinds, by their names")
    return parser.parse_args()


def _start_broker(stack: ExitStack) -> None:
    from urllib.parse import urlsplit

    from django.conf import settings

    from tests.support.services import valkey_server
    from tokenburn_site.local.process_groups import ProcessGroups

    family = stack.enter_context(ProcessGroups())
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tokenburn-fuzz-")))
    stack.enter_context(valkey_server(family, urlsplit(settings.REDIS_URL).port or 0, folder))


class Subject:
    """The process that takes the inputs; a new one after it hung."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        from tests.fuzz.subject import serve

        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        self._pipe.recv()

    def ask(self, what: Any, within_s: float = BUSY_S) -> Any:
        """Raises TimeoutError if it does not answer, EOFError if it died; a new one stands ready then."""
        try:
            self._pipe.send(what)
            found = self._pipe.recv() if self._pipe.poll(within_s) else None
        except (EOFError, ConnectionError):
            self._renew()
            raise EOFError from None
        if found is None:
            self._renew()
            raise TimeoutError
        return found

    def _renew(self) -> None:
        self._process.kill()
        self._process.join()
        self._start()


class Session:
    """All inputs, one batch of a kind after the other's."""

    def __init__(self, given: argparse.Namespace, stack: ExitStack) -> None:
        from tests.fuzz.table import KINDS

        self._kinds = [KINDS[name] for name in given.only or KINDS]
        self._given = given
        self._subject = Subject()
        self._outcomes: dict[str, Counter[str]] = {kind.name: Counter() for kind in self._kinds}
        self._seconds: dict[str, list[float]] = {kind.name: [] for kind in self._kinds}
        self._memory: list[tuple[int, Any]] = []
        self._faults: Counter[str] = Counter()
        self._shown: set[str] = set()

    @property
    def _done(self) -> int:
        return sum(map(Counter.total, self._outcomes.values()))

    def hold(self) -> None:
        self._measure()
        for number, (name, inputs) in enumerate(self._batches()):
            self._batch(name, inputs, self._given.seed * 1_000_000 + number)
            if number % 20 == 19:
                self._measure()
                print(f"{self._done:7,d} inputs, {self._faults.total()} faults, {self._memory[-1][1]}", flush=True)
        self._measure()

    def _measure(self) -> None:
        self._memory.append((self._done, self._subject.ask(None)))

    def _batches(self) -> Iterator[tuple[str, int]]:
        """Kinds take turns, so that memory is measured over all of them."""
        shares = sum(kind.share for kind in self._kinds)
        left = {kind.name: self._given.inputs * kind.share // shares for kind in self._kinds}
        left[self._kinds[0].name] += self._given.inputs - sum(left.values())
        rounds = max(1, *(-(-count // BATCH) for count in left.values()))
        each = {name: -(-count // rounds) for name, count in left.items()}
        while any(left.values()):
            for name, most in each.items():
                if size := min(most, left[name]):
                    left[name] -= size
                    yield name, size

    def _batch(self, name: str, inputs: int, number: int) -> None:
        left = inputs
        while left > 0:
            values = _drawn(name, left, number)
            if not values:
                raise RuntimeError(f"{name}: there are no more inputs")
            for at in range(0, len(values), AT_ONCE):
                self._take(name, values[at : at + AT_ONCE])
            left -= len(values)
            number += 500_000

    def _take(self, name: str, values: list[Any]) -> None:
        try:
            results = self._subject.ask((name, values))
        except (TimeoutError, EOFError) as exc:
            print(f"{name}: {type(exc).__name__}; each of the {len(values)} inputs again, alone", flush=True)
            results = [self._alone(name, value) for value in values]  # which one was it?
        for value, result in zip(values, results, strict=True):
            self._note(name, value, *result)

    def _alone(self, name: str, value: Any) -> tuple[str, str, float]:
        try:
            (found,) = self._subject.ask((name, [value]), HUNG_S)
        except TimeoutError:
            return "hung", f"no answer within {HUNG_S:g} s", HUNG_S
        except EOFError:
            return "died", "the process died", 0.0
        result: tuple[str, str, float] = found
        return result

    def _note(self, name: str, value: Any, outcome: str, fault: str, seconds: float) -> None:
        self._outcomes[name][outcome] += 1
        self._seconds[name].append(seconds)
        if not fault and seconds > SLOW_S:
            fault = f"slow: it took {seconds:.1f} s"
        if fault:
            self._faults[name] += 1
            kind = f"{name}: {fault.splitlines()[0][:120]}"
            if kind not in self._shown:
                self._shown.add(kind)
                print(f"FAULT in {name}: {fault}\n  input: {_short(value)}", flush=True)

    def told(self) -> int:
        for name, outcomes in self._outcomes.items():
            times = sorted(self._seconds[name]) or [0.0]
            told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common(6))
            print(f"{name:18s} {outcomes.total():7,d}  slowest {times[-1]:.2f} s  {told}")
        print(f"{self._done:,d} inputs, {self._faults.total()} faults")
        for done, memory in (self._memory[0], self._warm, self._memory[-1]):
            print(f"  after {done:7,d} inputs: {memory.resident:6.1f} MB resident, {memory.own:6.1f} MB of its own")
        return int(bool(self._faults) or self._memory[-1][1].own - self._warm[1].own > GROWN_MB)

    @property
    def _warm(self) -> tuple[int, Any]:
        return next((one for one in self._memory if one[0] >= self._done / 4), self._memory[-1])


def _drawn(name: str, most: int, number: int) -> list[Any]:
    """Inputs of a kind; hypothesis may find fewer."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.fuzz.table import KINDS

    values: list[Any] = []

    @seed(number)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[name].inputs())
    def draw(value: Any) -> None:
        values.append(value)

    draw()
    return values


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 2500 else f"{text[:2500]}... ({len(text):,} characters)"


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(code)
