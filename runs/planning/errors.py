"""The error of a refused request for a run."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "target_invalid": "target",
    "secrets_unreadable": "target",
    "credential_refused": "target",
    "scenario_invalid": "scenarios",
    "load_invalid": "load",
    "models_unavailable": "load",
    "threshold_invalid": "thresholds",
    "processes_invalid": "processes",
    "regions_invalid": "regions",
    "slots_missing": "processes",
    "closed": "plan",
    "target_not_allowed": "target",
    "load_not_allowed": "load",
    "quota_used": "load",
    "approval_needed": "load",
}
"""The plan's field for each code, unless the error names another."""
POLICY_CODES: Final = frozenset({"target_not_allowed", "load_not_allowed", "quota_used", "approval_needed"})
"""What is asked for is possible, and a policy does not permit it."""


class RequestError(ValueError):
    """The requested run cannot start. `code` names the kind of error, `field` the part of the request (as in a plan);
    the message says what to do."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field or FIELDS[code]
