"""JSON fields that are only shown in the admin."""

from __future__ import annotations

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString


def shown_json(data: Any, encoder: type[json.JSONEncoder] | None) -> SafeString:
    """Takes the place of `unfold.utils.prettify_json`, which writes colours into each element: the policy of the pages
    does not apply them."""
    return format_html('<pre class="tb-json">{}</pre>', json.dumps(data, sort_keys=True, indent=4, cls=encoder))
