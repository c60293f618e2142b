// A server of Socket.IO 2 in the shape of generic-socketio: node socketio2.js LOG
"use strict";
const http = require("node:http");
const { pieces, sent, ready, tick } = require("./common");

const server = http.createServer();
const io = require("socket.io-2")(server, { pingInterval: 400, pingTimeout: 400, serveClient: false });

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
