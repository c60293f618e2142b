"""Rules of the API that JSON Schema cannot say: docs/api.md lists them, by these names. A valid request that is refused
for one of them is no contradiction. Each has a pattern of what the answer says."""

from __future__ import annotations

import re
from typing import Final

RULES: Final = {
    "integers of at most 64 bits": r"integers have at most 64 bits",
    "names that are free": r"already exists|is already a|another schedule|there is a default policy already",
    "a load whose parts fit together": r'^\{"load":\["(?!load\.[^;]*is missing"|.*are numbers above)',
    "thresholds on what the plan has": r'"thresholds":\["|nothing to abort for|abort_on_fail',
    "a scenario once": r"a scenario is named twice",
    "as many regions as engines at most": r'"regions":\["\d+ regions need',
    "steps that fit together": r'^\{"spec":\["(?!.*needs either)',
    "overrides and parameters of the target's request": r'"(overrides|params|stream|preset)":\["',
    "addresses that may be connected to": r"no setting allows connections|does not allow|not among the origins"
    r"|is not allowed|cannot be reached",
    "names of hosts": r"is not a (valid )?host|host name|give an address such as|label|IDNA|punycode",
    "targets of a policy": r"(is no|is more than a) host: write it as|the scheme is none of|is no port, nor a range",
    "a proof that the host publishes": r'^\{"url":\["https?://[^"]*/\.well-known/token-burn\.txt .*"token":\["',
    "times that lie ahead": r"is in the past|must be in the future|never be due|is skipped in|is too far|a year from",
    "files in the format of their names": r'^\{"file":\["',
    "recordings that something can be learned from": r'^\{"texts":\["',
    "the load that the run has": r"the load of this run is set by",
    "rows that this user may use": r"you may not (use|edit) the credential|may change who uses it",
}


def rule_of(answer: str) -> str:
    """The rule for which a request was refused; empty: none of them."""
    return next((name for name, pattern in RULES.items() if re.search(pattern, answer)), "")
