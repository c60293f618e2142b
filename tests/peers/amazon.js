// Bedrock's Converse and Lex's RecognizeText, as far as Amazon's own packages go: they make the event stream, and sign each
// request again, which must give the same signature.
"use strict";
const http = require("node:http");
const { Sha256 } = require("@aws-crypto/sha256-js");
const { EventStreamCodec } = require("@smithy/eventstream-codec");
const { SignatureV4 } = require("@smithy/signature-v4");
const { pieces, sent, ready, tick } = require("./common");

const credentials = { accessKeyId: "AKIDPEER", secretAccessKey: "secret+of/the=peer", sessionToken: "token/of+the=session" };
const codec = new EventStreamCodec((bytes) => Buffer.from(bytes).toString("utf8"), (text) => Buffer.from(text, "utf8"));
const turns = new Map(); // Lex keeps the conversation

function event(headers, body) {
  const texts = Object.entries({ ...headers, ":content-type": "application/json" });
  const typed = Object.fromEntries(texts.map(([name, value]) => [name, { type: "string", value }]));
  return Buffer.from(codec.encode({ headers: typed, body: Buffer.from(JSON.stringify(body)) }));
}
const piece = (name, body) => event({ ":message-type": "event", ":event-type": name }, body);

/** Why the request is not signed as Amazon's library signs it; empty if it is. */
async function wrong(request, url, body) {
  const [, scope, names] = /Credential=[^/]+\/(\S+), SignedHeaders=(\S+),/.exec(request.headers.authorization || "") || [];
  if (!scope) return "Missing Authentication Token";
  const [, region, service] = scope.split("/");
  const date = request.headers["x-amz-date"];
  const signingDate = new Date(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"));
  if (Math.abs(Date.now() - signingDate) > 300000) return "Signature expired";
  const given = { ...request.headers };
  for (const name of Object.keys(given)) if (!names.split(";").includes(name)) delete given[name];
  delete given["x-amz-security-token"];
  const query = Object.fromEntries(url.searchParams);
  const asked = { method: request.method, protocol: "http:", hostname: url.hostname, path: url.pathname, query, headers: given, body };
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, applyChecksum: false });
  const signed = await signer.sign(asked, { signingDate });
  const needed = ["content-type", "host", "x-amz-date", "x-amz-security-token"].every((name) => names.split(";").includes(name));
  return needed && signed.headers.authorization === request.headers.authorization ? "" : "The request signature does not match";
}

async function streamed(answer, drawn, failed) {
  answer.writeHead(200, { "Content-Type": "application/vnd.amazon.eventstream" });
  answer.write(piece("messageStart", { role: "assistant", p: "abc" }));
  for (const [contentBlockIndex, text] of drawn.entries()) {
    const data = piece("contentBlockDelta", { contentBlockIndex: 0, delta: { text }, p: "abcdef".slice(0, contentBlockIndex % 6) });
    const cut = 1 + (contentBlockIndex * 7) % (data.length - 1);
    answer.write(data.subarray(0, cut));
    await tick();
    answer.write(data.subarray(cut));
  }
  if (failed) {
    const headers = { ":message-type": "exception", ":exception-type": "modelStreamErrorException" };
    answer.end(event(headers, { message: failed }));
    return;
  }
  answer.write(piece("messageStop", { stopReason: "end_turn", p: "a" }));
  answer.end(piece("metadata", { usage: { inputTokens: drawn.length, outputTokens: 1 }, metrics: { latencyMs: 1 } }));
}

function converse(answer, url, body) {
  const texts = body.messages.map(({ content }) => content.map(({ text }) => text).join(""));
  const message = texts.pop();
  const drawn = pieces(body.messages.filter(({ role }) => role === "user").length);
  const failed = message === "fail" ? "the model is asleep" : "";
  if (!failed) sent({ message, text: drawn.join(""), history: texts });
  if (url.pathname.endsWith("-stream")) return streamed(answer, drawn, failed);
  if (failed) return told(answer, 424, { message: failed });
  const content = drawn.map((text) => ({ text }));
  return told(answer, 200, { output: { message: { role: "assistant", content } }, stopReason: "end_turn", usage: { inputTokens: 1, outputTokens: 2 } });
}

function recognize(answer, url, body) {
  if (body.text === "fail") return told(answer, 424, { message: "the model is asleep" });
  const session = url.pathname.split("/").at(-2);
  turns.set(session, (turns.get(session) || 0) + 1);
  const drawn = pieces(turns.get(session));
  sent({ message: body.text, text: drawn.join("\n") });
  const messages = drawn.map((content) => ({ content, contentType: "PlainText" }));
  return told(answer, 200, { messages, sessionId: session, sessionState: { intent: { state: "InProgress" } } });
}

function told(answer, status, body) {
  answer.writeHead(status, { "Content-Type": "application/json" });
  answer.end(JSON.stringify(body));
}

const server = http.createServer(async (request, answer) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const url = new URL(request.url, `http://${request.headers.host}`);
  const problem = await wrong(request, url, body);
  if (problem) return told(answer, 403, { message: problem });
  const known = url.pathname.endsWith("/text") ? recognize : converse;
  return known(answer, url, JSON.parse(body));
});
server.listen(0, "127.0.0.1", () => ready(server.address().port));
