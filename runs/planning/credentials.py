"""Whether somebody may send the secrets of a plan's target: asked when a plan is saved, estimated, scheduled and
started, and again when its engines start."""

from __future__ import annotations

from audit.services import record
from policy.limits import User
from runs.models import Run
from runs.planning.errors import RequestError
from targets.binding import CredentialRefused, check_use
from targets.credentials.rights import may_use
from targets.models import Target


def check_credential(target: Target | None, user: User) -> None:
    """Raises RequestError: credential_refused. None as `user`: nobody, who may use none."""
    if target is None:
        return
    try:
        check_use(target, user)
    except CredentialRefused as exc:
        raise RequestError("credential_refused", f"target {target.name!r}: {exc}") from exc


def check_credential_of_run(run: Run) -> None:
    """Whether who asked for the run may still use its credential. Raises RequestError: credential_refused."""
    credential = run.credential
    if credential is None or may_use(run.requested_by, credential):
        return
    record("credential.use", user=run.requested_by, on=credential, outcome="refused", details={"run": run.pk})
    who = "whoever asked for it" if run.requested_by is None else str(run.requested_by)
    text = f"the run did not start: {who} may not use the credential {credential.name!r} any more"
    raise RequestError("credential_refused", f"{text}; somebody who may has to start it")
