// A chatbot behind stomp-broker-js: node stomp.js LOG
"use strict";
const http = require("node:http");
const StompServer = require("stomp-broker-js");
const { pieces, sent, ready, tick } = require("./common");

const server = http.createServer();
const broker = new StompServer({ server, path: "/ws" });
const counts = new Map(); // by session

broker.subscribe("/app/chat", async (body) => {
  const { message, session } = JSON.parse(body);
  const say = (value) => broker.send(`/queue/${session}`, { "content-type": "application/json" }, JSON.stringify(value));
  if (message === "fail") return say({ error: "the model is asleep" });
  const count = (counts.get(session) ?? 0) + 1;
  counts.set(session, count);
  const answer = pieces(count);
  sent({ message, text: answer.join("") });
  for (const delta of answer) {
    say({ delta });
    await tick();
  }
  return say({ done: true });
});

server.listen(0, "127.0.0.1", () => ready(server.address().port));
