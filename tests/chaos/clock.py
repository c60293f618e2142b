"""A wall clock that can be set while a run goes on, for one tree of processes only.

Needs a C compiler. As root the whole tree sees it, engines and kernel stamps included; others preload it through the
environment, which burn and the site's services get and engines do not.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
from pathlib import Path

from tests.support.hosts import build_clock, preloading


class Clock:
    """`prefix` and `env` go before a command and into its environment."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        path = directory / "ahead"
        path.write_bytes(struct.pack("l", 0))
        library = build_clock(directory, path)
        assert library is not None, "faults of the clock need a C compiler"
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)
        self.prefix: list[str] = preloading(library, directory) if os.geteuid() == 0 else []
        if self.prefix and subprocess.run([*self.prefix, "true"], capture_output=True, check=False).returncode != 0:
            self.prefix = []  # root in a container that may not mount
        self.env = {} if self.prefix else {"LD_PRELOAD": str(library)}

    def set(self, ahead_s: int) -> None:
        """In seconds before the true time; negative: behind it."""
        self._page[:] = struct.pack("l", ahead_s)
