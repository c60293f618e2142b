// A Socket.IO server in the shape of generic-socketio: node generic_socketio.js LOG socket.io|socket.io-2
"use strict";
const http = require("node:http");
const { pieces, sent, ready, tick } = require("./common");

const server = http.createServer();
const made = require(process.argv[3]);
const options = { pingInterval: 5000, pingTimeout: 10000, serveClient: false };
const io = made.Server ? new made.Server(server, options) : made(server, options);

const converse = (socket) => {
  let count = 0;
  const answer = (message) => {
    if (message === "fail") throw new Error("the model is asleep");
    const words = pieces(++count);
    sent({ message, text: words.join("") });
    return words;
  };
  socket.on("chat", async ({ message }, reply) => {
    const done = reply ?? ((last) => socket.emit("done", last));
    try {
      const words = answer(message);
      if (reply) return reply({ response: words.join("") });
      for (const text of words) {
        socket.emit("delta", { text, raw: Buffer.from("an attachment") });
        await tick();
      }
      return done({});
    } catch (error) {
      return done({ error: error.message });
    }
  });
};

io.of("/generic").on("connection", converse);
server.listen(0, "127.0.0.1", () => ready(server.address().port));
