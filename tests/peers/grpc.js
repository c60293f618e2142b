// The contract of atelier.proto by @grpc/grpc-js: node grpc.js LOG
"use strict";
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");
const { pieces, sent, ready, tick } = require("./common");

const definition = loader.loadSync(path.join(__dirname, "atelier.proto"), {
  keepCase: true,
  defaults: true,
  longs: String,
  enums: String,
  oneofs: true,
});
const studio = grpc.loadPackageDefinition(definition).peers.atelier.v2.Studio;

const spoken = (body) => ({ spoken: { speaker: { handle: "studio", mood: "MOOD_KEEN" }, body }, mood: "MOOD_CALM" });
const tally = (asked, answer) => ({ tally: { counters: { read: String(asked.length), spoken: String(answer.length) } } });

/** Says what is wrong with a request, or gives its last message. */
function heard(call, dialogue) {
  const last = dialogue.transcript[dialogue.transcript.length - 1];
  if (call.metadata.get("x-studio-key")[0] !== "studio-key") throw refusal(grpc.status.UNAUTHENTICATED, "no studio key");
  if (dialogue.labels.origin !== "load-test") throw refusal(grpc.status.INVALID_ARGUMENT, "labels.origin is missing");
  if (!last || last.speaker.mood !== "MOOD_KEEN") throw refusal(grpc.status.INVALID_ARGUMENT, "nobody is keen");
  return last.body;
}

const refusal = (code, details) => Object.assign(new Error(details), { code, details });
const turns = (dialogue) => (dialogue.transcript.length + 1) / 2;

async function recite(call, dialogue) {
  const asked = heard(call, dialogue);
  const answer = pieces(turns(dialogue));
  sent({ message: asked, text: answer.join(""), thread: dialogue.thread_key });
  for (const piece of answer) {
    call.write(spoken(piece));
    await tick();
  }
  call.write(tally(asked, answer));
}

const server = new grpc.Server();
server.addService(studio.service, {
  Reply(call, done) {
    try {
      const asked = heard(call, call.request);
      const answer = pieces(turns(call.request)).join("");
      sent({ message: asked, text: answer, thread: call.request.thread_key });
      done(null, spoken(answer));
    } catch (error) {
      done(error);
    }
  },
  Recite(call) {
    recite(call, call.request).then(() => call.end(), (error) => call.emit("error", error));
  },
  Parley(call) {
    let last = Promise.resolve(); // answers come in the order of the questions
    call.on("data", (dialogue) => {
      last = last.then(() => recite(call, dialogue));
      last.catch((error) => call.emit("error", error));
    });
    call.on("end", () => last.then(() => call.end(), () => {}));
  },
});
new ReflectionService(definition).addToServer(server);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  ready(port);
});
