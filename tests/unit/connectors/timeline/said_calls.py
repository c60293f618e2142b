"""Two tool calls, as each dialect has them in its events and answers."""

from __future__ import annotations

from typing import Any

WEATHER = ("c1", "weather", '{"city":"Graz"}')
TIME = ("c2", "time", "{}")


def openai(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": list(calls), **more}}]}


def piece(index: int, arguments: str, name: str | None = None, call: str | None = None) -> dict[str, Any]:
    said = {"index": index, "id": call, "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in said.items() if value is not None}


def block(index: int, **what: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": what}


def began(index: int, call: str, name: str) -> dict[str, Any]:
    held = {"type": "tool_use", "id": call, "name": name, "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": held}


def gemini(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}}]}


def item(index: int, call: str, name: str) -> dict[str, Any]:
    held = {"type": "function_call", "call_id": call, "name": name, "arguments": ""}
    return {"type": "response.output_item.added", "output_index": index, "item": held}


def written(index: int, text: str) -> dict[str, Any]:
    return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": text}


def cohere(kind: str, index: int, **call: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}}


STREAMS: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        openai(piece(0, "", "weather", "c1"), role="assistant", content=None),
        openai(piece(0, '{"city":')),
        openai(piece(0, '"Graz"}'), piece(1, "{}", "time", "c2")),
    ],
    "anthropic-messages": [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        block(0, type="text_delta", text="Let me see."),
        began(1, "c1", "weather"),
        began(2, "c2", "time"),
        block(1, type="input_json_delta", partial_json='{"city":"Gr'),
        block(2, type="input_json_delta", partial_json="{}"),
        block(1, type="input_json_delta", partial_json='az"}'),
    ],
    "gemini": [
        gemini({"text": "Yes."}, {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Graz"}}}),
        gemini({"functionCall": {"id": "c2", "name": "time", "args": {}}}),
    ],
    "ollama-chat": [
        {"message": {"tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": {"city": "Graz"}}}]}},
        {"message": {"tool_calls": [{"id": "c2", "function": {"name": "time", "arguments": {}}}]}},
    ],
    "openai-responses": [
        item(1, "c1", "weather"),
        written(1, '{"city":"Gr'),
        written(1, 'az"}'),
        item(2, "c2", "time"),
        written(2, "{}"),
    ],
    "cohere": [
        cohere("tool-call-start", 0, id="c1", function={"name": "weather", "arguments": ""}),
        cohere("tool-call-delta", 0, function={"arguments": '{"city":"Graz"}'}),
        cohere("tool-call-start", 1, id="c2", function={"name": "time", "arguments": ""}),
        cohere("tool-call-delta", 1, function={"arguments": "{}"}),
    ],
    "mistral": [openai(piece(0, '{"city":"Graz"}', "weather", "c1"), piece(1, "{}", "time", "c2"), content="")],
    "openai-realtime": [
        item(0, "c1", "weather"),
        {"type": "response.function_call_arguments.done", "output_index": 0, "call_id": "c1", "arguments": WEATHER[2]},
        {"type": "response.function_call_arguments.done", "output_index": 1, "call_id": "c2", "name": "time",
         "arguments": "{}"},
    ],
    "gemini-live": [
        {"toolCall": {"functionCalls": [{"id": "c1", "name": "weather", "args": {"city": "Graz"}},
                                        {"id": "c2", "name": "time", "args": {}}]}},
    ],
    "ag-ui": [
        {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolCallName": "weather"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c1", "delta": '{"city":"Graz"}'},
        {"type": "TOOL_CALL_END", "toolCallId": "c1"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c2", "toolCallName": "time", "delta": "{}"},
    ],
    "ai-sdk": [
        {"type": "tool-input-available", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Graz"}},
        {"type": "tool-input-available", "toolCallId": "c2", "toolName": "time", "input": {}},
    ],
}  # fmt: skip
WHOLE: dict[str, dict[str, Any]] = {
    "openai-chat": {"choices": [{"message": {"content": "I will look.", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "time", "input": "{}"}},
    ]}}]},
    "anthropic-messages": {"content": [
        {"type": "text", "text": "I will look."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Graz"}},
        {"type": "tool_use", "id": "c2", "name": "time", "input": {}},
    ]},
    "openai-responses": {"output": [
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Graz"}'},
        {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "{}"},
    ]},
    "bedrock-converse": {"output": {"message": {"content": [
        {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Graz"}}},
        {"toolUse": {"toolUseId": "c2", "name": "time", "input": {}}},
    ]}}},
    "cohere": {"message": {"tool_calls": [
        {"id": "c1", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}},
        {"id": "c2", "function": {"name": "time", "arguments": "{}"}},
    ]}},
}  # fmt: skip


NAMED: dict[str, list[tuple[str, Any]]] = {
    "bedrock-converse": [
        ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "c1", "name": "weather"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city":'}}}),
        ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '"Graz"}'}}}),
        ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "c2", "name": "time"}}}),
        ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "{}"}}}),
    ],
    "langgraph": [
        ("messages", [{"type": "ai", "content": "", "tool_call_chunks": [
            {"index": 0, "id": "c1", "name": "weather", "args": '{"city":'}]}, {}]),
        ("messages", [{"type": "ai", "content": "", "tool_call_chunks": [{"index": 0, "args": '"Graz"}'}]}, {}]),
        ("messages", [{"type": "ai", "content": "", "tool_call_chunks": [
            {"index": 1, "id": "c2", "name": "time", "args": "{}"}]}, {}]),
    ],
}  # fmt: skip
