"""Where `burn` writes for people: stdout, or stderr when stdout carries JSON."""

from __future__ import annotations

import os

from rich.console import Console


class PatientConsole(Console):
    """A reader who goes away (`burn | head`) ends the showing, not the run."""

    def on_broken_pipe(self) -> None:
        """rich would end the process, and in a supervising thread end only that thread, without a word."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is still buffered has somewhere to go at exit
        os.close(nowhere)
