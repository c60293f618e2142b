"""Tool calls in the dialects of presets: an answer that calls a tool, the one after its result, and what is said about
it in between."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.hostile.table import JSON_TYPE, SSE_TYPE, whole

GRAZ = {"city": "Graz"}
FUNCTION = {"name": "weather", "arguments": '{"city": "Graz"}'}
RESULT = "Graz: 18 degrees"


class Dialect(NamedTuple):
    """`said` is appended to the list at the key `at` of the request."""

    calls: bytes
    ends: bytes
    at: str
    said: list[Any]


def streamed(*events: Any) -> bytes:
    data = (event if isinstance(event, str) else json.dumps(event) for event in events)
    return whole("".join(f"data: {one}\n\n" for one in data).encode(), SSE_TYPE)


def lines(*events: Any) -> bytes:
    body = "".join(f"{json.dumps(event)}\n" for event in events)
    return whole(body.encode(), "Content-Type: application/x-ndjson")


def document(value: Any) -> bytes:
    return whole(json.dumps(value).encode(), JSON_TYPE)


def openai(**message: Any) -> dict[str, Any]:
    reason = "tool_calls" if "tool_calls" in message else "stop"
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": reason}], "usage": usage}


def _delta(**said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said}]}


def _block(index: int, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _gemini(*parts: Any) -> bytes:
    return document({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})


def _responses(*output: Any) -> bytes:
    return document({"status": "completed", "output": output})


def _bedrock(reason: str, *content: Any) -> bytes:
    return document({"output": {"message": {"content": content}}, "stopReason": reason})


_CALL = {"id": "c1", "type": "function", "function": FUNCTION}
_OPENAI_SAID = [
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": RESULT},
]
_USE = {"type": "tool_use", "id": "c1", "name": "weather"}
_GEMINI_PART = {"functionCall": {"name": "weather", "args": GRAZ}, "thoughtSignature": "sign"}
_GEMINI_RESULT = {"functionResponse": {"name": "weather", "response": {"result": RESULT}}}
_OLLAMA_CALL = {"function": {"name": "weather", "arguments": GRAZ}}
_ITEM = {"type": "function_call", "call_id": "c1"} | FUNCTION
_BEDROCK_USE = {"toolUse": {"toolUseId": "c1", "name": "weather", "input": GRAZ}}
_UI_PART = {"type": "tool-weather", "toolCallId": "c1", "state": "output-available", "input": GRAZ, "output": RESULT}

DIALECTS: dict[str, Dialect] = {
    "openai-chat": Dialect(
        document(openai(content=None, tool_calls=[_CALL])), document(openai(content="Warm.")), "messages", _OPENAI_SAID
    ),
    "openai-chat streamed": Dialect(
        streamed(
            _delta(content=None, tool_calls=[{"index": 0, "id": "c1", "function": {"name": "weather"}}]),
            _delta(tool_calls=[{"index": 0, "function": {"arguments": '{"city": '}}]),
            _delta(tool_calls=[{"index": 0, "function": {"arguments": '"Graz"}'}}]),
            "[DONE]",
        ),
        streamed(_delta(content="Warm"), _delta(content="."), "[DONE]"),
        "messages",
        _OPENAI_SAID,
    ),
    "anthropic-messages streamed": Dialect(
        streamed(
            _block(0, type="text_delta", text="Let me see."),
            {"type": "content_block_start", "index": 1, "content_block": _USE | {"input": {}}},
            _block(1, type="input_json_delta", partial_json='{"city": "Graz"}'),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ),
        streamed(_block(0, type="text_delta", text="Warm."), {"type": "message_stop"}),
        "messages",
        [
            {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, _USE | {"input": GRAZ}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": RESULT}]},
        ],
    ),
    "gemini": Dialect(
        _gemini({"text": "Hm."}, _GEMINI_PART),
        _gemini({"text": "Warm."}),
        "contents",
        [{"role": "model", "parts": [{"text": "Hm."}, _GEMINI_PART]}, {"role": "user", "parts": [_GEMINI_RESULT]}],
    ),
    "ollama-chat streamed": Dialect(
        lines({"message": {"content": "", "tool_calls": [_OLLAMA_CALL]}}, {"message": {"content": ""}, "done": True}),
        lines({"message": {"content": "Warm."}, "done": True}),
        "messages",
        [
            {"role": "assistant", "content": "", "tool_calls": [_OLLAMA_CALL]},
            {"role": "tool", "tool_name": "weather", "content": RESULT},
        ],
    ),
    "openai-responses": Dialect(
        _responses(_ITEM),
        _responses({"type": "message", "content": [{"type": "output_text", "text": "Warm."}]}),
        "input",
        [_ITEM, {"type": "function_call_output", "call_id": "c1", "output": RESULT}],
    ),
    "cohere": Dialect(
        document({"message": {"tool_calls": [_CALL]}, "finish_reason": "TOOL_CALL"}),
        document({"message": {"content": [{"type": "text", "text": "Warm."}]}, "finish_reason": "COMPLETE"}),
        "messages",
        [{"role": "assistant", "tool_calls": [_CALL]}, {"role": "tool", "tool_call_id": "c1", "content": RESULT}],
    ),
    "bedrock-converse": Dialect(
        _bedrock("tool_use", _BEDROCK_USE),
        _bedrock("end_turn", {"text": "Warm."}),
        "messages",
        [
            {"role": "assistant", "content": [_BEDROCK_USE]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": RESULT}]}}]},
        ],
    ),
    "ai-sdk": Dialect(
        streamed({"type": "tool-input-available", "toolCallId": "c1", "toolName": "weather", "input": GRAZ}, "[DONE]"),
        streamed({"type": "text-delta", "delta": "Warm."}, "[DONE]"),
        "messages",
        [{"role": "assistant", "parts": [_UI_PART]}],
    ),
    "ag-ui": Dialect(
        streamed(
            {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "weather"},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"city": "Graz"}'},
            {"type": "RUN_FINISHED"},
        ),
        streamed({"type": "TEXT_MESSAGE_CONTENT", "delta": "Warm."}, {"type": "RUN_FINISHED"}),
        "messages",
        [
            {"role": "assistant", "content": "", "toolCalls": [_CALL]},
            {"role": "tool", "toolCallId": "c1", "content": RESULT},
        ],
    ),
}
