"""Whether somebody may send anything to a target."""

from __future__ import annotations

from django.conf import settings

from connectors.origins import UNIX, origin_of
from connectors.spec import TargetSpec
from policy.hosts import HIGHEST_PORT, allowed
from policy.limits import Limits
from policy.ownership import lacks_proof

ASK = "ask an administrator to add it to the policy, or choose another target"


class NotAllowedError(ValueError):
    """A policy does not permit it. The message says what, and what to do. `field`: the part of the request."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def shown(value: float) -> str:
    """A number in a sentence."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.6g}"


def at_most(what: str, asked: float, cap: float | None) -> None:
    """Raises NotAllowedError if a load asks for more `what` than `cap`."""
    if cap is not None and asked > cap:
        raise NotAllowedError(
            f"{shown(asked)} {what} are more than the {shown(cap)} that the policy allows: ask for less, or ask an "
            "administrator",
            "load",
        )


def check_target(spec: TargetSpec, limits: Limits) -> None:
    """Every place that the target names must be in the list. Raises NotAllowedError."""
    patterns = limits.targets
    if patterns is None and not settings.REQUIRE_OWNERSHIP:
        return
    for what, url in _places(spec):
        try:
            origin = origin_of(url)
        except ValueError as exc:  # a template
            raise NotAllowedError(
                f"{what}: the host that it leads to is only known during a run, and hosts have to be allowed: write "
                "the host out",
                "target",
            ) from exc
        if origin.startswith(UNIX):
            if allowed_everywhere(limits):
                continue
            raise NotAllowedError(f"{what}: a Unix socket is no host that a policy could allow: {ASK}", "target")
        if patterns is not None and not allowed(patterns, origin):
            raise NotAllowedError(f"{what}: the policy does not allow {origin}: {ASK}", "target")
        if why := lacks_proof(origin, patterns):
            raise NotAllowedError(f"{what}: {why}", "target")
    if spec.follow_redirects and (settings.REQUIRE_OWNERSHIP or not allowed_everywhere(limits)):
        raise NotAllowedError(
            "follow_redirects: hosts have to be allowed, and a redirect may lead to another: switch it off, and give "
            "the target its final address",
            "target",
        )


def allowed_everywhere(limits: Limits) -> bool:
    """Whether the list names every host and port."""
    everywhere = ("*", (1, HIGHEST_PORT), None)
    return limits.targets is None or any((p.name, p.ports, p.tls) == everywhere for p in limits.targets)


def _places(spec: TargetSpec) -> list[tuple[str, str]]:
    """What leads somewhere, and where."""
    kinds = {"handshake": "handshake step", "then": "request of `then`"}
    elsewhere = [
        (f"{kinds[where.partition('.')[0]]} {ask.name!r}", ask.url)
        for where, ask in spec.asks()
        if ask.url and not ask.url.startswith("/")
    ]
    proxy = [("its proxy", spec.proxy.url)] if spec.proxy is not None else []
    return [("the target's address", spec.connects_to), *elsewhere, *spec.named_hosts(), *proxy]
