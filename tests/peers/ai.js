// A chat route as the AI SDK's documentation writes it, on plain node: a UI message stream, or at /api/text a text stream.
"use strict";
const http = require("node:http");
const { convertToModelMessages, streamText } = require("ai");
const { MockLanguageModelV4, convertArrayToReadableStream } = require("ai/test");
const { pieces, sent, ready } = require("./common");

const textOf = (message) => message.content.map((part) => part.text).join("");

const model = new MockLanguageModelV4({
  doStream: async ({ prompt }) => {
    const said = prompt.filter((message) => message.role !== "system").map(textOf);
    const message = said.pop();
    if (message === "fail") throw new Error("the model is asleep");
    const drawn = pieces((said.length + 2) / 2);
    sent({ message, text: drawn.join(""), history: said });
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
  const result = streamText({ model, messages: await convertToModelMessages(messages), maxRetries: 0, onError: () => {} });
  if (request.url === "/api/text") return result.pipeTextStreamToResponse(response);
  return result.pipeUIMessageStreamToResponse(response, {
    onError: (error) => error.message,
    messageMetadata: ({ part }) => (part.type === "finish" ? { usage: part.totalUsage } : undefined),
  });
});
server.listen(0, "127.0.0.1", () => ready(server.address().port));
