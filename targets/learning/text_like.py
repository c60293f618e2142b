"""Which of the texts in a document is what a person or a chatbot said."""

from __future__ import annotations

import re
from typing import Final

from targets.learning.recorded.exchange import words

UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
ASKS: Final = {
    "message": 9, "prompt": 9, "question": 9, "query": 9, "usermessage": 10, "userinput": 10, "userprompt": 10,
    "inputtext": 10, "input": 8, "utterance": 9, "usertext": 10, "text": 7, "content": 7, "q": 7, "msg": 8,
    "chatinput": 10, "body": 4, "value": 4, "ask": 7, "say": 6, "inputs": 7, "messagetext": 10, "parts": 4,
    "request": 4, "newmessage": 10, "userquery": 10, "textinput": 9,
}  # fmt: skip
"""How much a key speaks for a user's message."""
SAYS: Final = {
    "answer": 10, "response": 9, "reply": 10, "text": 8, "content": 8, "output": 8, "completion": 9, "delta": 9,
    "generatedtext": 10, "message": 7, "result": 6, "token": 7, "chunk": 7, "botmessage": 10, "outputtext": 10,
    "botresponse": 10, "assistant": 6, "data": 3, "value": 4, "speech": 7, "fulfillmenttext": 10, "textdelta": 10,
    "t": 3, "v": 2, "body": 3, "msg": 7, "piece": 7, "markdown": 7, "answertext": 10,
}  # fmt: skip
"""How much a key speaks for a chatbot's answer."""
OTHERS: Final = words(
    """
    id role type object model status created timestamp date url uri user userid username name title language
    lang locale timezone finishreason stopreason event kind version sessionid threadid conversationid chatid
    messageid author sender systemfingerprint mode source email icon image level index recipientid systemprompt
    instructions agent channel requestid traceid state reason code currency format stop encoding
    """
)
"""Keys whose texts nobody said."""
_ENUM: Final = re.compile(r"[A-Za-z0-9_.:/+-]{1,60}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]?|\d{1,2}:\d\d")


def bare(key: str | int) -> str:
    return re.sub(r"[^a-z0-9]", "", str(key).lower())


def weight(keys: list[str], words: dict[str, int], default: float = 0.0) -> float:
    """How much the last two keys of a path speak for it: by themselves, or by a word in them."""
    return max((_weight(key, words) for key in keys[-2:]), default=default)


def _weight(key: str, words: dict[str, int]) -> float:
    if key in words:
        return words[key]
    return 0.7 * max((value for word, value in words.items() if len(word) > 3 and word in key), default=0.0)


def is_id(text: str) -> bool:
    """Whether a text is made to be unique."""
    if UUID.fullmatch(text):
        return True
    compact = re.sub(r"[-_:.]", "", text)
    letters, digits = sum(map(str.isalpha, compact)), sum(map(str.isdigit, compact))
    return 8 <= len(text) <= 200 and " " not in text and digits >= 3 and compact.isalnum() and (letters + digits) >= 8


def is_date(value: object) -> bool:
    return isinstance(value, str) and _DATE.match(value) is not None


def said(text: str) -> float:
    """From 0 to 4: how much a text looks like one that somebody said, whatever its place."""
    if not text.strip() or is_id(text) or text.startswith(("http://", "https://", "data:")) or _DATE.match(text):
        return 0.0
    score = min(len(text), 200) / 200
    score += 2.0 if " " in text.strip() else 0.0
    score += 0.5 if re.search(r"[.?!,]$|[^\W\d_]{2,} ", text) else 0.0
    if not _ENUM.fullmatch(text):
        score += 0.5
    return score
