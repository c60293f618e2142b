#!/usr/bin/env python
"""Django's command line: `manage.py burn`, `manage.py up` and the usual commands."""

import os
import sys

from runs.early import leave_at_signals

BAD_START = 2
INTERRUPTED = 130


def main() -> None:
    if sys.argv[1:2] == ["burn"]:
        leave_at_signals()
    settings = "tokenburn_site.settings_cli" if sys.argv[1:2] == ["burn"] else "tokenburn_site.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    try:
        _execute()
    except KeyboardInterrupt:  # mostly while it imports: commands that run long handle it themselves
        sys.stderr.write("manage.py: interrupted\n")
        sys.exit(INTERRUPTED)


def _execute() -> None:
    from django.core.management import execute_from_command_line

    from tokenburn_site.config.keys import BadEnvironment

    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as exc:
        sys.stderr.write(f"manage.py: {exc}\n")
        sys.exit(BAD_START)


if __name__ == "__main__":
    main()
