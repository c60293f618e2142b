"""What a preset says to people: base address, documentation, secrets, params and limits. Pure.

Words that only a person knows stand in the preset's file (`title`, `doc`, `about`); names of secrets and params come
from its templates, so that none can be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.mapping.params import named_params
from connectors.mapping.unset import named_secrets
from connectors.spec import Frozen, SpecError, TargetSpec, build_target_spec, load_preset, preset_names, spec_problems
from connectors.target import CompiledTarget

SAMPLE: Final = "NAME"
OPTIONAL: Final = "optional"
"""How the words about a secret begin that a chatbot may do without."""
_MISSING = re.compile(r"\bparams\.(\w+)")


class About(Frozen):
    """`about` of a preset. `address`: an example of a base address. `needs`: examples of the params without which the
    chatbot cannot be asked. `secrets`: what each is."""

    address: str
    link: str = ""
    secrets: dict[str, str] = Field(default_factory=dict)
    needs: dict[str, str] = Field(default_factory=dict)
    limits: str = ""


@dataclass(frozen=True)
class PresetInfo:
    """`streamed`: the protocol of a streamed answer; None: the preset has one form, `protocol`. `params`: names with
    defaults; None: there is none. `needs`: those of them that must be given, with examples. `attachments`: the
    kinds that it takes."""

    name: str
    title: str
    doc: str
    about: About
    protocol: str
    streamed: str | None
    secrets: Mapping[str, str]
    params: Mapping[str, Any]
    needs: Mapping[str, str]
    attachments: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As the API and `probe --presets --json` show it."""
        return {
            "name": self.name,
            "title": self.title,
            "doc": self.doc,
            "address": self.about.address,
            "link": self.about.link,
            "protocol": self.protocol,
            "streamed": self.streamed,
            "secrets": dict(self.secrets),
            "params": dict(self.params),
            "needs": dict(self.needs),
            "attachments": list(self.attachments),
            "limits": self.about.limits,
        }


def preset_infos() -> list[PresetInfo]:
    """Of all presets, sorted by name."""
    return [preset_info(name) for name in preset_names()]


@cache
def preset_info(name: str) -> PresetInfo:
    """Raises SpecError for an unknown preset, and for one that says nothing about its secrets or params."""
    data = load_preset(name)
    try:
        about = About.model_validate(data.get("about", {}))
    except ValueError as exc:
        raise SpecError(f"preset {name!r}: about.{spec_problems(exc, About)}") from exc
    forms = [_spec(name, about, stream=stream) for stream in ((False, True) if "stream" in data else (False,))]
    plain = forms[0]
    secrets = sorted({secret for spec in forms for secret in named_secrets(spec.frozen_dict())})
    params = {param for spec in forms for param in named_params(spec) or data.get("params", {})}
    return PresetInfo(
        name=name,
        title=data["title"],
        doc=data["doc"],
        about=about,
        protocol=plain.protocol,
        streamed=forms[1].protocol if len(forms) > 1 else None,
        secrets={secret: about.secrets.get(secret, "") for secret in secrets},
        params={param: data.get("params", {}).get(param) for param in sorted(params)},
        needs={**{param: SAMPLE for spec in forms for param in _refused_without(spec)}, **about.needs},
        attachments=() if plain.attachments is None else tuple(plain.attachments.kinds),
    )


def _spec(name: str, about: About, *, stream: bool) -> TargetSpec:
    return build_target_spec(name=name, url=about.address, preset=name, stream=stream)


def _refused_without(spec: TargetSpec) -> list[str]:
    """The params without which the preset makes no target, found by trying."""
    missing: list[str] = []
    secrets = {name: SecretStr(SAMPLE) for name in named_secrets(spec.frozen_dict())}
    while True:
        given = {**spec.params, **dict.fromkeys(missing, SAMPLE)}
        try:
            CompiledTarget(spec.model_copy(update={"params": given, "secrets": secrets}))
        except SpecError as exc:
            new = [param for param in _MISSING.findall(str(exc)) if param not in given]
            if not new:
                raise
            missing.append(new[0])
        else:
            return missing


def command(info: PresetInfo) -> list[str]:
    """The arguments of `manage.py probe` that ask a chatbot of this preset."""
    streamed = ["--stream"] if info.streamed else []
    params = [part for name, value in info.needs.items() for part in ("--param", f"{name}={value}")]
    return ["--url", info.about.address, "--preset", info.name, *streamed, *params, "--prompt", "Hello"]
