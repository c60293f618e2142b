// Many cipher jobs in one process: a JSON array on stdin, an array of results on stdout. Texts and keys are base64.
"use strict";
const crypto = require("node:crypto");
const zlib = require("node:zlib");
const CryptoJS = require("crypto-js");

const bytes = (text) => Buffer.from(text, "base64");
const words = (text) => CryptoJS.enc.Base64.parse(text);
const plain = (found) => CryptoJS.enc.Base64.stringify(found);
const hex = (text) => CryptoJS.enc.Hex.parse(bytes(text).toString("hex"));

const jobs = {
  "cryptojs-aes": {
    encode: ({ text, passphrase }) => CryptoJS.AES.encrypt(words(text), passphrase).toString(),
    decode: ({ box, passphrase }) => plain(CryptoJS.AES.decrypt(box, passphrase)),
  },
  "aes-cbc": {
    encode: ({ text, key, iv }) => CryptoJS.AES.encrypt(words(text), hex(key), { iv: hex(iv) }).toString(),
    decode: ({ box, key, iv }) => plain(CryptoJS.AES.decrypt(box, hex(key), { iv: hex(iv) })),
  },
  "aes-cbc-prefixed": {
    encode: ({ text, key }) => {
      const iv = crypto.randomBytes(16);
      const cipher = crypto.createCipheriv(`aes-${bytes(key).length * 8}-cbc`, bytes(key), iv);
      return Buffer.concat([iv, cipher.update(bytes(text)), cipher.final()]).toString("base64");
    },
    decode: ({ box, key }) => {
      const cipher = crypto.createDecipheriv(`aes-${bytes(key).length * 8}-cbc`, bytes(key), bytes(box).subarray(0, 16));
      return Buffer.concat([cipher.update(bytes(box).subarray(16)), cipher.final()]).toString("base64");
    },
  },
  "aes-gcm": {
    encode: ({ text, key }) => {
      const nonce = crypto.randomBytes(12);
      const cipher = crypto.createCipheriv(`aes-${bytes(key).length * 8}-gcm`, bytes(key), nonce);
      return Buffer.concat([nonce, cipher.update(bytes(text)), cipher.final(), cipher.getAuthTag()]).toString("base64");
    },
    decode: ({ box, key }) => {
      const all = bytes(box);
      const cipher = crypto.createDecipheriv(`aes-${bytes(key).length * 8}-gcm`, bytes(key), all.subarray(0, 12));
      cipher.setAuthTag(all.subarray(-16));
      return Buffer.concat([cipher.update(all.subarray(12, -16)), cipher.final()]).toString("base64");
    },
  },
  gzip: {
    encode: ({ text }) => zlib.gzipSync(bytes(text)).toString("base64"),
    decode: ({ box }) => zlib.gunzipSync(bytes(box)).toString("base64"),
  },
};

let input = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (piece) => { input += piece; });
process.stdin.on("end", () => {
  const found = JSON.parse(input).map((job) => jobs[job.codec][job.do](job));
  process.stdout.write(JSON.stringify(found));
});
