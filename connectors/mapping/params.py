"""Which params a target's requests use. A param that no request uses would be silently ignored. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from connectors.spec import TargetSpec
from connectors.template_text import BEGIN, expressions_in
from inputs.wording import nearest

_PARAM = re.compile(rf"{BEGIN}params\.(\w+)")
_ANY_PARAM = re.compile(rf"{BEGIN}params\b(?!\.\w)")


def named_params(spec: TargetSpec, *, but: Iterable[str] = ()) -> frozenset[str] | None:
    """The params that any part of `spec` names, except the parts `but`; None if a part uses all of them."""
    left_out = {"params", *but}
    data = orjson.dumps({part: value for part, value in spec.frozen_dict().items() if part not in left_out}).decode()
    text = " ".join(match[1] for match in expressions_in(data))
    return None if _ANY_PARAM.search(text) else frozenset(_PARAM.findall(text))


def lacks_param(spec: TargetSpec, name: str, *, but: Iterable[str] = ()) -> str:
    """Why `name` is no param of the target's, with those that are; empty if it is one."""
    known = named_params(spec, but=but)
    if known is None or name in known:
        return ""
    these = f"it has {', '.join(sorted(known))}" if known else "it has none"
    return f"the target's request has no such parameter: {these}{nearest(name, known)}"
