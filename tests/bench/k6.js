// k6 at its fastest: the same request, over and over, its answer not even parsed.
import http from "k6/http";

const body = JSON.stringify({
  model: "truth",
  messages: [{ role: "user", content: "Hello" }],
  stream: false,
});
const params = { headers: { "Content-Type": "application/json" } };

export default function () {
  http.post(__ENV.BASE_URL + "/chat/completions", body, params);
}
