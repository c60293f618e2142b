"""The roles that `manage.py roles` makes groups of. A superuser is administrator and may do everything.

docs/permissions.md shows this table, and what each role can reach with it.
"""

from __future__ import annotations

from typing import Final

EDIT: Final = ("view", "add", "change", "delete")

ROLES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "viewer": {
        "metrics.sessionmetric": ("view",),
        "runs.planschedule": ("view",),
        "runs.run": ("view",),
        "runs.scheduleslot": ("view",),
        "runs.session": ("view",),
        "runs.testplan": ("view",),
        "scenarios.scenario": ("view",),
        "targets.target": ("view",),
    },
    "operator": {
        "metrics.sessionmetric": ("view",),
        "runs.planschedule": EDIT,
        "runs.run": ("view", "change", "view_texts"),
        "runs.scheduleslot": ("view",),
        "runs.session": ("view",),
        "runs.testplan": EDIT,
        "runs.webhook": EDIT,
        "scenarios.scenario": EDIT,
        "targets.target": EDIT,
    },
}
"""By role and model: the parts of the names of permissions before the model's, such as "view" for view_run."""
