// What each of the node servers needs: words nobody can guess, a log of what was sent, and an end with their parent.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");

const WORDS = ["silver", "harbour", "näive", "Brötchen", "Übung", "茶", "日本語", "🙂", "ﬁ", "line\nbreak", '"quoted"', "{{", "\\u0041", "tail"];

/** An answer in pieces: `count` says how many messages this conversation has had, the rest is drawn at random. */
function pieces(count) {
  const drawn = Array.from({ length: 3 + crypto.randomInt(12) }, () => WORDS[crypto.randomInt(WORDS.length)] + " ");
  return [`${count}: `, ...drawn, crypto.randomUUID()];
}

/** One line of JSON for each answer, written before the answer's last piece is sent. */
function sent(entry) {
  fs.appendFileSync(process.argv[2], JSON.stringify(entry) + "\n");
}

/** Tells the port, and ends this process when its parent closes stdin. */
function ready(port) {
  console.log(JSON.stringify({ port }));
  process.stdin.resume().on("end", () => process.exit(0));
}

const tick = () => new Promise((done) => setImmediate(done));

module.exports = { pieces, sent, ready, tick };
