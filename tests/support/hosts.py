"""Several hosts on one machine: network namespaces on a switch, each with an address and a name of its own.

The switch is a bridge in the namespace of the services. A host's cable is the switch's end of its veth pair: pulled,
packets vanish without a word, as on a real network. Needs root, `ip`, `unshare` and the rights to make namespaces.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_off.c")
PREFIX = "tb"


def why_not() -> str:
    """Why this machine cannot do it; empty: it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "unshare", "setpriv") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    name = f"{PREFIX}{os.getpid()}-try"
    for argv in (["ip", "netns", "add", name], ["ip", "-n", name, "link", "add", "name", "try", "type", "bridge"]):
        tried = subprocess.run(argv, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            return f"{' '.join(argv)}: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


def _try_ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


def _ip(*words: str) -> None:
    done = _try_ip(*words)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Network:
    """`services` and the hosts by number from 1, on a /24 that this machine reaches too."""

    def __init__(self, hosts: int) -> None:
        self._base = f"{PREFIX}{os.getpid()}"
        self._net = f"10.213.{random.randrange(256)}"
        self.services = f"{self._net}.1"
        self._names = [f"{self._base}-s", *(f"{self._base}-{number}" for number in range(1, hosts + 1))]

    def __enter__(self) -> Network:
        _sweep()
        switch = self._names[0]
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", switch, "link", "add", "switch", "type", "bridge", "forward_delay", "0")
        _ip("-n", switch, "addr", "add", f"{self.services}/24", "dev", "switch")
        _ip("-n", switch, "link", "set", "switch", "up")
        for number, name in enumerate(self._names[1:], 1):
            _ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            self._plug(f"port{number}")
            _ip("-n", name, "addr", "add", f"{self._net}.{10 + number}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
        _ip("link", "add", self._base, "type", "veth", "peer", "name", "port0", "netns", switch)
        self._plug("port0")
        _ip("addr", "add", f"{self._net}.254/24", "dev", self._base)
        _ip("link", "set", self._base, "up")
        return self

    def __exit__(self, *_: object) -> None:
        # The cable first: a namespace lives on, with its end of it, as long as any process is in it.
        _try_ip("link", "del", self._base)
        for name in self._names:
            _try_ip("netns", "del", name)

    def _plug(self, port: str) -> None:
        _ip("-n", self._names[0], "link", "set", port, "master", "switch", "up")

    def pull(self, number: int) -> None:
        """The cable of that host: packets are dropped silently in both directions."""
        _ip("-n", self._names[0], "link", "set", f"port{number}", "down")

    def mend(self, number: int) -> None:
        _ip("-n", self._names[0], "link", "set", f"port{number}", "up")

    def on(self, number: int) -> list[str]:
        """The beginning of a command line that runs on that host (0: the services), under its name."""
        name = "services" if number == 0 else f"host{number}"
        return [*self.in_network(number), "unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', name]

    def in_network(self, number: int) -> list[str]:
        return ["ip", "netns", "exec", self._names[number]]


def _sweep() -> None:
    """What a killed test left behind."""
    spaces = [line.split()[0] for line in _try_ip("netns", "list").stdout.splitlines()]
    links = [line.split()[1].partition("@")[0].rstrip(":") for line in _try_ip("-o", "link").stdout.splitlines()]
    for words, names in ((("link", "del"), links), (("netns", "del"), spaces)):
        for name in names:
            pid = name.removeprefix(PREFIX).partition("-")[0]
            if name.startswith(PREFIX) and pid.isdigit() and not Path(f"/proc/{pid}").exists():
                _try_ip(*words, name)


def clock_two_minutes_ahead(directory: Path) -> list[str] | None:
    """Prefixed to a command (after `on`): the wall clock of everything that it starts is 120 s ahead. None without a C
    compiler. No more than that process tree sees it: the preload list stands in an /etc of its own."""
    library = build_clock(directory)
    return None if library is None else preloading(library, directory)


def build_clock(directory: Path, offset: Path | None = None) -> Path | None:
    """A library that shifts the wall clock of whoever preloads it: by 120 s, or by what the file `offset` says. None
    without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = directory / "clock_off.so"
    told = [] if offset is None else [f'-DOFFSET_FILE="{offset}"']
    built = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", *told, "-o", library, SOURCE], capture_output=True, check=False
    )
    assert built.returncode == 0, built.stderr.decode()
    return library


def preloading(library: Path, directory: Path) -> list[str]:
    """Prefixed to a command: whatever it starts preloads the library, also where the environment is not passed on.
    Needs root."""
    etc = directory / "etc"
    shutil.copytree("/etc", etc, symlinks=True)
    (etc / "ld.so.preload").write_text(f"{library}\n", encoding="ascii")
    mount = f'mount --bind {etc} /etc && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "clock"]


@contextmanager
def network(hosts: int) -> Iterator[Network]:
    with Network(hosts) as made:
        yield made
