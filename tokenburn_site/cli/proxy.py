"""The proxy of --proxy, and the message about an unused proxy of the environment.

The environment's proxy is not used unasked: a load test measures the target, and a proxy on the way adds its own time,
limits and failures to every figure. That it is not used is said, as most other programs use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from connectors.http.proxy import PASSWORD, USER, is_left_out
from connectors.origins import origins_of
from connectors.spec import TLS_SCHEMES, TargetSpec, parse_target_spec
from tokenburn_site.cli.errors import BadUsage

FROM_ENVIRONMENT: Final = "env"


class _Variable(NamedTuple):
    name: str
    value: str


class Reached(NamedTuple):
    """A target with its proxy, if any; `note` names it, or says that none is used."""

    target: TargetSpec
    note: str


def with_proxy(target: TargetSpec, option: str | None, environ: Mapping[str, str]) -> Reached:
    """`option` is --proxy: a URL, "env" for the proxy of `environ`, or None. Raises BadUsage."""
    if option is None:
        return Reached(target, _used(target) or _not_used(target, environ))
    if option != FROM_ENVIRONMENT:
        found = _laid_over(target, {"url": option}, {})
        return Reached(found, _used(found))
    variable = _variable(target, environ)
    if variable is None:
        names = " nor ".join(_names(target))
        raise BadUsage(f"--proxy env: neither {names} is set: give the proxy, --proxy http://host:port")
    if _is_left_out(target, environ):
        return Reached(target, f"NO_PROXY excludes the target from {variable.name}: connections are direct")
    parts = urlsplit(variable.value if "://" in variable.value else f"http://{variable.value}")
    given = {USER: unquote(parts.username or ""), PASSWORD: unquote(parts.password or "")}
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    no_proxy = [entry for entry in _no_proxy(environ) if entry]
    found = _laid_over(target, {"url": url, "no_proxy": no_proxy}, given)
    return Reached(found, _used(found))


def _laid_over(target: TargetSpec, proxy: Mapping[str, Any], secrets: Mapping[str, str]) -> TargetSpec:
    data = target.wire_dict()
    data["secrets"] |= {name: value for name, value in secrets.items() if value}
    try:
        if data["secret_origins"] is not None:  # whoever gives the option trusts this proxy
            data["secret_origins"] = (*data["secret_origins"], *origins_of([proxy["url"]]))
        return parse_target_spec({**data, "proxy": proxy})
    except ValueError as exc:
        raise BadUsage(f"--proxy: {str(exc).removeprefix('target: ')}") from exc


def _used(target: TargetSpec) -> str:
    if target.proxy is None or is_left_out(urlsplit(target.url).hostname or "", target.proxy.no_proxy):
        return ""
    return f"connections go through the proxy {target.proxy.url}: its time and limits are in the figures"


def _not_used(target: TargetSpec, environ: Mapping[str, str]) -> str:
    variable = _variable(target, environ)
    if variable is None or target.proxy is not None or _is_left_out(target, environ):
        return ""
    return f"{variable.name} is set and not used: connections go straight to the target; add --proxy env to use it"


def _names(target: TargetSpec) -> tuple[str, str]:
    tls = urlsplit(target.url).scheme in TLS_SCHEMES
    return ("HTTPS_PROXY" if tls else "HTTP_PROXY"), "ALL_PROXY"


def _variable(target: TargetSpec, environ: Mapping[str, str]) -> _Variable | None:
    """The first variable that is set, lower case first, as in other programs."""
    for name in _names(target):
        for written in (name.lower(), name):
            if value := environ.get(written, "").strip():
                return _Variable(written, value)
    return None


def _no_proxy(environ: Mapping[str, str]) -> list[str]:
    return [entry.strip() for entry in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")]


def _is_left_out(target: TargetSpec, environ: Mapping[str, str]) -> bool:
    return is_left_out(urlsplit(target.url).hostname or "", _no_proxy(environ))
