"""What became of a recorded request, and the names of ids in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from targets.learning.recorded.exchange import words

SESSION_KEYS: Final = words(
    """
    sessionid conversationid chatid threadid sid contextid conversation session sessionkey thread dialogid chat
    roomid visitorid clientid conversationkey  ticketid parentconversationid
    """
)
OWNERS: Final = frozenset({"sender", "userid", "user", "uid"})
TURN_KEYS: Final = words(
    """
    messageid msgid requestid id nonce traceid runid correlationid clientmessageid uuid
    """
)


@dataclass
class Asked:
    """What became of the request. `saves`: names of values that answers give, with the keys under which they stand."""

    message: str = ""
    body: Any = None
    path: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    saves: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    """Recorded ids, with the expressions for them."""
    state: bool = False
    """Whether the chatbot keeps the conversation."""
