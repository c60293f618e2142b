// A chat route as the AI SDK's documentation writes it, on plain node: a UI message stream, or at /api/text a text stream.
"use strict";
const http = require("node:http");
const { convertToModelMessages, jsonSchema, streamText, tool } = require("ai");
const { MockLanguageModelV4, convertArrayToReadableStream } = require("ai/test");
const { pieces, sent, ready } = require("./common");

const textOf = (message) => message.content.map((part) => part.text ?? "").join("");
const filesOf = (message) =>
  message.content.filter((part) => part.type === "file").map((part) => [part.mediaType, bytesOf(part.data.data ?? part.data)]);
const bytesOf = (data) => (typeof data === "string" ? Buffer.from(data, "base64") : data).length;

const NOTHING = { total: 0, noCache: 0, text: 0, reasoning: 0 };
const CALL = [
  { type: "stream-start", warnings: [] },
  { type: "tool-call", toolCallId: "c1", toolName: "weather", input: '{"city": "Graz"}' },
  { type: "finish", finishReason: { unified: "tool-calls", raw: "tool" }, usage: { inputTokens: NOTHING, outputTokens: NOTHING } },
];
const tools = { weather: tool({ inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }) }) };

const model = new MockLanguageModelV4({
  doStream: async ({ prompt }) => {
    const last = prompt.at(-1).content.at(-1);
    if (last.type === "text" && last.text.startsWith("call")) return { stream: convertArrayToReadableStream(CALL) };
    const spoken = (message) => message.role !== "system" && message.content.some((part) => part.type === "text");
    const said = prompt.filter(spoken).map(textOf);
    const message = said.pop();
    if (message === "fail") throw new Error("the model is asleep");
    const drawn = pieces((said.length + 2) / 2);
    const returned = prompt.filter((one) => one.role === "tool").flatMap((one) => one.content.map((part) => part.output.value));
    sent({ message, text: drawn.join(""), history: said, attached: filesOf(prompt.at(-1)), ...(returned.length ? { returned } : {}) });
    const total = (tokens) => ({ total: tokens, noCache: tokens, text: tokens, reasoning: 0 });
    return {
      stream: convertArrayToReadableStream([
        { type: "stream-start", warnings: [] },
        { type: "reasoning-start", id: "r" },
        { type: "reasoning-delta", id: "r", delta: "What is thought is no part of the answer." },
        { type: "reasoning-end", id: "r" },
        { type: "text-start", id: "t" },
        ...drawn.map((delta) => ({ type: "text-delta", id: "t", delta })),
        { type: "text-end", id: "t" },
        {
          type: "finish",
          finishReason: { unified: "stop", raw: "stop" },
          usage: { inputTokens: total(message.length), outputTokens: total(drawn.length) },
        },
      ]),
    };
  },
});

const server = http.createServer(async (request, response) => {
  const chunks = await request.toArray();
  const { messages } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  const prompt = await convertToModelMessages(messages);
  const result = streamText({ model, tools, messages: prompt, maxRetries: 0, onError: () => {} });
  if (request.url === "/api/text") return result.pipeTextStreamToResponse(response);
  return result.pipeUIMessageStreamToResponse(response, {
    onError: (error) => error.message,
    messageMetadata: ({ part }) => (part.type === "finish" ? { usage: part.totalUsage } : undefined),
  });
});
server.listen(0, "127.0.0.1", () => ready(server.address().port));
