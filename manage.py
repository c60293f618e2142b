#!/usr/bin/env python
"""Django's command line: `manage.py burn`, `manage.py up` and the usual commands."""

import os
import sys

from runs.early import leave_at_signals

BAD_START = 2
INTERRUPTED = 130
UNRECORDED = "migrate"  # makes the tables of the audit log


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

    from audit.origin import Origin, account_name, whole_process
    from tokenburn_site.config.keys import BadEnvironment

    if sys.argv[1:2] and sys.argv[1] != UNRECORDED:
        whole_process(Origin("cli", account=account_name()))
    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as exc:
        sys.stderr.write(f"manage.py: {exc}\n")
        sys.exit(BAD_START)


if __name__ == "__main__":
    main()
