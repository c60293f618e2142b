// A chatbot in the NUC shape, its frames encrypted by crypto-js: node nuc.js LOG API_KEY PASSPHRASE
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");
const AES = require("crypto-js/aes");
const Utf8 = require("crypto-js/enc-utf8");
const { WebSocketServer } = require("ws");
const { pieces, sent, ready, tick } = require("./common");

const [, , , API_KEY, PASSPHRASE] = process.argv;
const tokens = new Set();
const chats = new Map(); // by session_id: what the next question must bring back

const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (request.url === "/token") {
    if (request.headers["x-api-key"] !== API_KEY) return answer(403, { error: { message: "wrong API key" } });
    const token = crypto.randomUUID();
    tokens.add(token);
    return answer(200, { token, expires_in: 900 });
  }
  if (request.url === "/chats") {
    if (!allowed(request)) return answer(401, { error: { message: "no such token" } });
    const session_id = crypto.randomUUID();
    chats.set(session_id, { course_id: JSON.parse(body).course_id, attributes: {}, count: 0 });
    return answer(201, { session_id });
  }
  return answer(404, { error: { message: request.url } });
});

const allowed = (request) => tokens.has((request.headers.authorization || "").replace(/^Bearer /, ""));
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });

server.on("upgrade", (request, stream, head) => {
  const { pathname, searchParams } = new URL(request.url, "http://nuc");
  const chat = chats.get(searchParams.get("session_id"));
  if (pathname !== "/ws" || !chat || !allowed(request)) {
    return stream.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }
  return sockets.handleUpgrade(request, stream, head, (socket) => converse(socket, searchParams.get("session_id"), chat));
});

function converse(socket, sessionId, chat) {
  const send = (value) => socket.send(AES.encrypt(JSON.stringify(value), PASSPHRASE).toString());
  socket.on("message", async (frame) => {
    const asked = decrypted(frame);
    const wrong = asked ? complaint(asked, sessionId, chat) : "that cannot be decrypted";
    if (wrong) return send({ error: { message: wrong } });
    const answer = pieces(++chat.count);
    const complete_response = answer.join("");
    sent({ message: asked.question, text: complete_response });
    for (const response_chunk of answer) {
      send({ response_chunk, message_id: asked.message_id });
      await tick();
    }
    chat.attributes = { turn: String(chat.count), nonce: crypto.randomUUID() };
    return send({
      chat_user_id: "u-1",
      complete_response,
      session_attributes: chat.attributes,
      usage: { input_tokens: asked.question.length, output_tokens: answer.length },
    });
  });
}

/** What a frame says; null if it was encrypted with another passphrase. */
function decrypted(frame) {
  try {
    return JSON.parse(AES.decrypt(frame.toString(), PASSPHRASE).toString(Utf8));
  } catch {
    return null;
  }
}

/** What is wrong with a question, if anything: a client that loses the session's attributes is found out here. */
function complaint(asked, sessionId, chat) {
  if (asked.session_id !== sessionId) return "session_id is another one";
  if (asked.course_id !== chat.course_id) return "course_id is another one";
  if (!asked.message_id) return "message_id is missing";
  const same = JSON.stringify(asked.session_attributes ?? {}) === JSON.stringify(chat.attributes);
  return same ? "" : "session_attributes are not those of the last answer";
}

server.listen(0, "127.0.0.1", () => ready(server.address().port));
