// k6 with the same request over and over. READ=1: it also reads each answer's text, as a test of a chatbot must.
import http from "k6/http";
import { check } from "k6";

const body = JSON.stringify({
  model: "truth",
  messages: [{ role: "user", content: "Hello" }],
  stream: false,
});
const params = { headers: { "Content-Type": "application/json" } };
const checks = {
  "has a text": (response) => response.json().choices[0].message.content.length > 0,
};

export default function () {
  const response = http.post(__ENV.BASE_URL + "/chat/completions", body, params);
  if (__ENV.READ) check(response, checks);
}
