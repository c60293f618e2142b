// A chatbot behind graphql-ws: node graphql.js LOG
"use strict";
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");
const { pieces, sent, ready, tick } = require("./common");

const schema = buildSchema(`
  type Query { hello: String }
  type Subscription { chat(message: String!, session: String!): String }
`);
const counts = new Map(); // by session

const asleep = () => {
  throw new Error("the model is asleep");
};

async function* chat({ message, session }, { extra }) {
  if (message === "fail") return yield { chat: asleep };
  const count = (counts.get(session) ?? 0) + 1;
  counts.set(session, count);
  const answer = pieces(count);
  sent({ message, text: answer.join("") });
  extra.socket.send(JSON.stringify({ type: "ping" })); // a client that does not answer is out of order
  for (const piece of answer) {
    yield { chat: piece };
    await tick();
  }
}

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/graphql" });
useServer({ schema, roots: { subscription: { chat } }, context: (context) => context }, server);
server.on("listening", () => ready(server.address().port));
