"""The command of a run of this very process."""

from __future__ import annotations

RUN_LOCAL = """
import sys, django; django.setup()
from runs.supervisor.local import run_local
from runs.models import Run
sys.exit(42 if run_local(Run.objects.get(pk=sys.argv[1])) else 0)
"""
