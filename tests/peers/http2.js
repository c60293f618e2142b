// Chat completions over HTTP/2 (node's own, which is nghttp2), by prior knowledge: as an event stream or as one document.
"use strict";
const http2 = require("node:http2");
const { pieces, ready, sent, tick } = require("./common.js");

const SSE = { ":status": 200, "content-type": "text/event-stream" };

async function answer(stream, request) {
  const asked = request.messages.filter((message) => message.role === "user");
  const message = asked.at(-1).content;
  const said = pieces(asked.length);
  const usage = { prompt_tokens: message.length, completion_tokens: said.join("").length };
  sent({ message, text: said.join("") });
  if (!request.stream) {
    const body = JSON.stringify({ choices: [{ message: { role: "assistant", content: said.join("") } }], usage });
    stream.respond({ ":status": 200, "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    return stream.end(body);
  }
  stream.respond(SSE);
  for (const content of said) {
    stream.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
    await tick();
  }
  stream.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

const server = http2.createServer({ settings: { maxConcurrentStreams: 4, initialWindowSize: 100 } });
server.on("stream", (stream, headers) => {
  const body = [];
  stream.on("error", () => {}); // a client may reset what it no longer wants
  stream.on("data", (data) => body.push(data));
  stream.on("end", () => {
    const request = JSON.parse(Buffer.concat(body));
    if (headers.authorization === "Bearer another") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (request.messages.at(-1).content === "fail") return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    return answer(stream, request);
  });
});
server.listen(0, "127.0.0.1", () => ready(server.address().port));
