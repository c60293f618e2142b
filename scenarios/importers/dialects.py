"""Converts conversations of other tools to messages of `role` and `content`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeGuard

from scenarios.importers.chatgpt import messages_of_tree
from scenarios.importers.tool_calls import has_calls, is_item, without_tools

_ROLES: Final = {
    **dict.fromkeys(("human", "user", "prompter", "customer"), "user"),
    **dict.fromkeys(
        ("gpt", "assistant", "model", "chatgpt", "bot", "chatbot", "ai", "bing", "bard", "agent"), "assistant"
    ),
    **dict.fromkeys(("system", "developer"), "system"),
}
_ROLE_FIELDS: Final = ("role", "from", "speaker", "sender")
_TEXT_FIELDS: Final = ("content", "value", "text", "parts", "utterance")
_LISTS: Final = (
    *("messages", "conversations", "conversation", "conversation_a", "turns", "chat_messages", "contents"),
    *("dialog", "dialogue", "items", "data"),
)
"""Fields that hold a whole conversation."""
_REQUIRED: Final = frozenset({"messages", "conversations"})
"""Those of them that cannot mean anything else: where they are no list, the record is a conversation that is wrong."""
_ASKED: Final = ("prompt", "instruction", "question", "query", "text_input", "text", "input", "inputs", "content")
"""Fields that contain the user's message, if there is only one."""
_ASKED_IN_TURN: Final = (*_ASKED, "human", "user")
_CONTEXT: Final = ("input", "context")
"""Fields that are appended to an instruction (Alpaca, Dolly)."""
_ANSWERED: Final = ("completion", "response", "output", "answer", "ideal")
"""Fields that hold the recorded answer to it."""
_ANSWERED_IN_TURN: Final = (*_ANSWERED, "assistant", "gpt", "bot")
_SYSTEM: Final = ("system", "system_prompt", "instructions", "system_instruction", "systemInstruction")
"""Fields beside the messages that hold the system message."""
_REQUESTS: Final = ("body", "request", "params", "payload", "inputs", "input")
"""Fields of batch and log lines that hold the request as it was sent."""
_NAMES: Final = ("conversation_id", "id", "custom_id", "question_id", "session_id", "uuid")


class Talk(NamedTuple):
    """`messages`: the value in the place of the messages, validated by `scenarios.render.replay`. `tools`: number of
    tool calls and results that were left out."""

    id: str | None
    messages: Any
    tools: int = 0


class _Tools(NamedTuple):
    """Placeholder among messages for tool calls and results that were left out."""

    taken_out: int


def talk_of(value: Any) -> Talk | None:
    """The conversation in `value`, in any known format; None if there is none.

    - Ours and fine-tuning lines: `{"messages": [{"role", "content"}]}`, or that list alone.
    - ShareGPT: `{"conversations": [{"from": "human", "value": "..."}]}`; `conversation` (WildChat, LMSYS), `contents`
      (Gemini), `chat_messages` (Claude) and so on, in the same or a similar form.
    - Texts in turn: `{"data": ["...", "..."]}` (UltraChat); all of the user: `{"turns": ["...", "..."]}` (MT-Bench) or
      `{"turns": [{"text"}]}` (AIPerf).
    - Batch and log lines: `{"custom_id", "body": {"messages"}}`, or `body.input`.
    - ChatGPT's export: `{"mapping": {id: {"message", "parent", "children"}}, "current_node"}`.
    - One message, perhaps with its answer: `prompt` and `completion`, `instruction`, `input` and `output` (Alpaca),
      `question` and `answer`, `text`, `input` and `ideal` (OpenAI's evals); a text alone.
    """
    if isinstance(value, str):
        return Talk(None, [_user(value)])
    if isinstance(value, list):
        return _told(None, _messages(value)) if value and isinstance(value[0], Mapping) else None
    if not isinstance(value, Mapping):
        return None
    messages, tools = _of_list(value), 0
    if messages is None:
        request = next((talk for key in _REQUESTS if (talk := _request(value.get(key))) is not None), None)
        messages, tools = (request.messages, request.tools) if request is not None else (_single(value), 0)
    if messages is None:
        return None
    talk = _told(_name(value), messages)
    return talk._replace(messages=_with_system(value, talk.messages), tools=talk.tools + tools)


def _told(name: str | None, messages: Any) -> Talk:
    if not isinstance(messages, list):
        return Talk(name, messages)
    said = [message for message in messages if not isinstance(message, _Tools)]
    return Talk(name, said, sum(message.taken_out for message in messages if isinstance(message, _Tools)))


def is_message(value: Any) -> bool:
    """Whether `value` is one message of a conversation, and not a separate record."""
    if not isinstance(value, Mapping) or _role(value) is None:
        return is_item(value)
    return has_calls(value) or any(key in value for key in _TEXT_FIELDS)


def _name(value: Mapping[str, Any]) -> str | None:
    named = (value.get(key) for key in _NAMES)
    found = (str(name) for name in named if isinstance(name, str | int) and not isinstance(name, bool))
    return next(filter(None, found), None)


def _request(value: Any) -> Talk | None:
    return talk_of(value) if isinstance(value, Mapping) and not is_message(value) else None


def _of_list(value: Mapping[str, Any]) -> Any:
    if isinstance(tree := value.get("mapping"), Mapping):
        return _messages(messages_of_tree(tree, value.get("current_node")))
    for key in _LISTS:
        if isinstance(value.get(key), list) and (key != "items" or _is_messages(value[key])):
            return _messages(value[key], key)
        if key in _REQUIRED and key in value:
            return value[key]
    return None


def _single(value: Mapping[str, Any], asked: tuple[str, ...] = _ASKED, answered: tuple[str, ...] = _ANSWERED) -> Any:
    """One message of the user and its answer; None if `value` has none or is itself a message."""
    if is_message(value):
        return None
    texts = [key for key in asked if isinstance(value.get(key), str) or _is_messages(value.get(key))]
    key = next((key for key in texts if value[key]), texts[0] if texts else None)
    if key is None:
        return None
    messages = _messages(value[key]) if isinstance(value[key], list) else [_user(value[key])]
    if key == "instruction" and isinstance(value[key], str):
        context = [value[more] for more in _CONTEXT if isinstance(value.get(more), str) and value[more].strip()]
        messages = [_user("\n\n".join([value[key], *context]))]
    answer = next((value[more] for more in answered if value.get(more)), None)
    if isinstance(answer, str) and answer.strip():
        return [*messages, {"role": "assistant", "content": answer}]
    return [*messages, *_messages(answer)] if _is_messages(answer) else messages


def _with_system(value: Mapping[str, Any], messages: Any) -> Any:
    """`messages` preceded by the system message that `value` has beside them, unless they have their own."""
    found = next((value[key] for key in _SYSTEM if value.get(key)), None)
    text = _content(found.get("parts") if isinstance(found, Mapping) else found)
    if not isinstance(text, str) or not text.strip() or not isinstance(messages, list):
        return messages
    if any(isinstance(message, Mapping) and message.get("role") == "system" for message in messages):
        return messages
    return [{"role": "system", "content": text}, *messages]


def _is_messages(found: Any) -> TypeGuard[list[Any]]:
    return isinstance(found, list) and bool(found) and all(isinstance(message, Mapping) for message in found)


def _messages(found: list[Any], key: str = "messages") -> list[Any]:
    """A list of messages in our form. Texts without a role are the user's in `turns`, and else user's and assistant's
    in turn."""
    if key == "messages":
        return [part for message in found for part in _message(message)]
    if key != "turns" and all(isinstance(text, str) for text in found):
        return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(found)]
    return [message for turn in found for message in _turn(turn)]


def _turn(turn: Any) -> list[Any]:
    """The messages of a turn: one with a role, or a question and perhaps its answer."""
    if isinstance(turn, str):
        return [_user(turn)]
    if not isinstance(turn, Mapping) or _role(turn) is not None:
        return _message(turn)
    return _single(turn, _ASKED_IN_TURN, _ANSWERED_IN_TURN) or _message(turn)


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _message(message: Any) -> list[Any]:
    """`message` with `role` and `content`, or unchanged if that is impossible; `_Tools` stands for its tool calls."""
    if not isinstance(message, Mapping):
        return [message]
    role, text = _role(message), next((message[key] for key in _TEXT_FIELDS if key in message), None)
    said, tools = without_tools(role, message, text)
    left_out = [_Tools(tools)] if tools else []
    if said is None and (tools or text is not None or is_item(message)):
        return left_out
    return [{"role": role, "content": _content(said)}, *left_out]


def _role(message: Mapping[str, Any]) -> Any:
    key = next((key for key in _ROLE_FIELDS if message.get(key) is not None), None)
    role = None if key is None else message[key]
    if not isinstance(role, str):
        return role
    if key == "speaker" and role.lower() == "system":  # the user's partner in corpora of dialogues
        return "assistant"
    return _ROLES.get(role.lower(), role)


def _content(content: Any) -> Any:
    """A text, also if it consists of parts; other parts (pictures, sound) leave it unchanged."""
    if not isinstance(content, list):
        return content
    texts: list[Any] = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    return "".join(texts) if texts and all(isinstance(text, str) for text in texts) else content
