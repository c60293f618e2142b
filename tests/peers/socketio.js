// A Socket.IO server in Talksy's shape: node socketio.js LOG
"use strict";
const http = require("node:http");
const { Server } = require("socket.io");
const { pieces, sent, ready, tick } = require("./common");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  const sessionId = socket.id;
  let count = 0;
  socket.emit("SESSION_CREATED", { sessionId, expiresAt: new Date(Date.now() + 900_000).toISOString() });
  socket.on("user_message_stream", async ({ text }) => {
    const answer = pieces(++count);
    sent({ message: text, text: answer.join("") });
    socket.emit("stream_start", { timestamp: Date.now() });
    for (const [index, content] of answer.entries()) {
      socket.emit("stream_chunk", { content, index });
      await tick();
    }
    socket.emit("stream_end", { sessionId, usage: { input_tokens: text.length, output_tokens: answer.length } });
  });
  socket.on("user_message", ({ text }) => {
    const answer = pieces(++count).join("");
    sent({ message: text, text: answer });
    socket.emit("assistant_response", { text: answer, timestamp: Date.now() });
  });
});

// A namespace of another shape: it wants a token, and answers by acknowledgement.
io.of("/desk")
  .use((socket, next) => next(socket.handshake.auth.token === "desk-token" ? undefined : new Error("no such desk")))
  .on("connection", (socket) => {
    let count = 0;
    socket.on("ask", (question, room, reply) => {
      const answer = pieces(++count).join("");
      sent({ message: question, text: answer, room });
      reply({ answer: { text: answer } });
    });
  });

server.listen(0, "127.0.0.1", () => ready(server.address().port));
