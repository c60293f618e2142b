"""The console for messages of `burn`: stdout, or stderr if stdout carries a result."""

from __future__ import annotations

import os

from rich.console import Console


class PatientConsole(Console):
    """If the reader goes away (`burn | head`), only the output ends, not the run."""

    def on_broken_pipe(self) -> None:
        """rich would end the process; in a supervising thread it would silently end only that thread."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # buffered output must have somewhere to go at exit
        os.close(nowhere)
