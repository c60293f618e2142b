"""What a browser would send from a page of the admin: the values of its form, as they stand there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any


class _Form(HTMLParser):
    """The fields of the page's forms. A select without a choice has its first option, as in a browser."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self.hidden: set[str] = set()
        self.name = ""
        self.text: list[str] | None = None
        self.options: list[tuple[str, bool]] = []
        self.multiple = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        name, value = has.get("name") or "", has.get("value") or ""
        if tag == "input" and name and "disabled" not in has:
            self._input(name, value, has)
        elif tag == "textarea":
            self.name, self.text = name, []
        elif tag == "select":
            self.name, self.options, self.multiple = name, [], "multiple" in has
        elif tag == "option":
            self.options.append((value, "selected" in has))

    def _input(self, name: str, value: str, has: dict[str, str | None]) -> None:
        kind = has.get("type") or "text"
        if kind in {"submit", "button", "file", "image"} or (kind in {"checkbox", "radio"} and "checked" not in has):
            return
        if kind == "hidden":
            self.hidden.add(name)
        if kind == "checkbox" and name in self.values:
            self.values[name] = [*self.values[name], value or "on"]
        else:
            self.values[name] = [value or "on"] if kind == "checkbox" else value

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self.text is not None:
            self.values[self.name] = "".join(self.text).removeprefix("\n")
            self.text = None
        elif tag == "select" and self.name:
            chosen = [value for value, selected in self.options if selected]
            if self.multiple:
                self.values[self.name] = chosen
            elif self.options:
                self.values[self.name] = chosen[0] if chosen else self.options[0][0]


def form_values(page: str, new: bool = False) -> dict[str, Any]:
    """`new`: as the form of another row, like the one of this page: without what ties its parts to that row."""
    form = _Form()
    form.feed(page)
    found = {name: value for name, value in form.values.items() if name != "csrfmiddlewaretoken"}
    if not new:
        return found
    tied = {name for name in form.hidden if re.fullmatch(r"\w+-\d+-\w+", name)}
    return {name: "0" if name.endswith("-INITIAL_FORMS") else found[name] for name in found.keys() - tied}
