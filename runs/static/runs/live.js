// Follows a run over its socket. Whatever the target said reaches the page as text only: textContent, never markup.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const LOG_ROWS = 500;
  const POINTS = 3000;
  const ENDED = 4000;
  const TOO_MANY = 4429;
  const RETRY_MS = [500, 1000, 2000, 5000, 10000];
  const TURNS = ["sent", "ok", "error", "timeout", "aborted", "unknown"];
  const BAD = new Set(["error", "timeout", "unknown", "sessions_failed", "sessions_lost", "dropped_arrivals", "unsolicited"]);

  const config = JSON.parse(document.getElementById("live-config").textContent);
  const page = document.querySelector("[data-run]");
  const charts = window.TokenBurnCharts;
  const { number, exact, share } = window.TokenBurnFormat;
  const byId = (id) => document.getElementById(id);

  let lastId = "0";
  let tries = 0;
  const columns = Object.fromEntries(charts.names.map((name) => [name, [[], ...charts.lines[name].map(() => [])]]));
  let before = null; // the tick before
  let complete = { at_s: 0, ok: 0, failed: 0 }; // of the tick before: rates are differences between two
  let drawing = false;
  let stored = null; // charts of what the stream no longer holds
  let ended = config.ended;
  let last = null; // the last tick

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function note(text) {
    const place = byId("connection");
    place.textContent = text;
    place.hidden = !text;
  }

  function showState(status, reason) {
    const badge = byId("status");
    badge.textContent = status;
    badge.className = `tb-badge tb-badge--${status}`;
    byId("reason").textContent = reason || "";
    byId("reason").hidden = !reason;
    const stop = byId("stop-form");
    if (stop && !["waiting", "queued", "starting", "running"].includes(status)) stop.hidden = true;
    const decision = byId("decision");
    if (decision && status !== "waiting") decision.hidden = true;
    const load = byId("load-form");
    if (load) load.hidden = status !== "running";
  }

  function showCounters(tick) {
    const words = (name) => (TURNS.includes(name) ? `turns ${name}` : name.replaceAll("_", " ").replace(" per ", "/"));
    const tiles = Object.entries(tick.counters).map(([name, value]) => [words(name), value, BAD.has(name)]);
    if (!ended) tiles.push(["sessions active", tick.active], ["turns in flight", tick.inflight]);
    if (!ended && tick.overdue) tiles.push(["turns overdue", tick.overdue, true]);
    for (const [name, value] of Object.entries(tick.rates)) tiles.push([words(name), name === "error_rate" ? share(value) : value]);
    for (const [name, part] of Object.entries(tick.budget || {}))
      tiles.push([`budget: ${name === "cost" ? "spent" : name} of ${number(part.ceiling)}${part.estimated ? " (estimate)" : ""}`, part.used, part.used >= part.ceiling]);
    byId("counters").replaceChildren(
      ...tiles.map(([label, value, bad]) => {
        const tile = element("div", bad && value ? "tb-tile tb-tile--bad" : "tb-tile");
        tile.append(element("b", "", typeof value === "string" ? value : number(value)), element("span", "", label));
        return tile;
      }),
    );
  }

  function showQuantiles(metrics) {
    const rows = Object.entries(metrics).map(([name, values]) => {
      const row = element("tr");
      const head = element("th", "", config.labels[name] || name);
      head.scope = "row";
      row.append(head);
      for (const stat of ["p50", "p95", "p99", "mean"]) row.append(element("td", "", number(values[stat])));
      row.append(element("td", "", number(values.count)));
      return row;
    });
    byId("quantiles").tBodies[0].replaceChildren(...rows);
  }

  const STATES = { kept: ["met", "completed"], missed: ["missed", "failed"], early: ["too early to say", "queued"] };

  // `high` is there, and null if unknown, where the value is a lower bound.
  const reached = ({ expr, value, high }) =>
    (high === undefined ? "" : "≥") + (expr.endsWith("%") ? `${exact(value * 100)}%` : exact(value));

  function showStandings(found) {
    if (!found || !found.length) return;
    const place = byId("threshold-statuses");
    place.hidden = false;
    const rows = found.map((one) => {
      const row = element("tr");
      const head = element("th");
      head.scope = "row";
      head.append(element("code", "", one.expr));
      const [word, tone] = STATES[one.state];
      const cell = element("td", "tb-text");
      cell.append(element("span", `tb-badge tb-badge--${tone}`, word));
      row.append(head, element("td", "", one.value === null ? "-" : reached(one)), cell);
      return row;
    });
    place.querySelector("tbody").replaceChildren(...rows);
  }

  // `found.rows`: the group's number, turns, share that failed, p95 of ttft and e2e.
  function showGroups(found) {
    const place = byId("groups-so-far");
    if (!place || !found || !found.rows.length) return;
    place.hidden = false;
    const rows = found.rows.map(([group, turns, rate, ...times]) => {
      const row = element("tr");
      row.append(...config.groups.rows[group].map((word) => element("td", "tb-text tb-wrap", word)));
      row.append(element("td", "", number(turns)), element("td", "", share(rate)));
      row.append(...times.map((time) => element("td", "", number(time))));
      return row;
    });
    place.querySelector("tbody").replaceChildren(...rows);
    byId("groups-more").textContent = found.more ? ` And ${number(found.more)} more: the report has them all.` : "";
  }

  const failed = (counters) =>
    ["error", "timeout", "aborted", "unknown"].reduce((sum, name) => sum + (counters[name] || 0), 0);

  function addPoint(tick) {
    if (before && tick.at_s <= before.at_s) return;
    addRates(tick);
    push("active", [tick.at_s, tick.active]);
    for (const [name, metric] of [["ttft", "ttft_ms"], ["e2e", "e2e_ms"]]) {
      const values = tick.metrics[metric] || {};
      push(name, [tick.at_s, values.p50 ?? null, values.p95 ?? null, values.p99 ?? null]);
    }
    before = tick;
  }

  // Between the last two moments up to which every engine had stored all: a late one is not taken for a burst.
  function addRates(tick) {
    const now = tick.complete || { at_s: tick.at_s, ok: tick.counters.ok || 0, failed: failed(tick.counters) };
    const passed = now.at_s - complete.at_s;
    if (passed <= 0) return;
    push("turns", [now.at_s, (now.ok - complete.ok) / passed, (now.failed - complete.failed) / passed]);
    complete = now;
  }

  function push(name, values) {
    values.forEach((value, place) => {
      columns[name][place].push(value);
      if (columns[name][place].length > POINTS) columns[name][place].shift();
    });
  }

  function drawSoon() {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      charts.names.forEach((name) => charts.draw(name, wholeChart(name)));
    });
  }

  // The stream's points, after those stored ones that are older than all of them.
  function wholeChart(name) {
    if (!stored) return columns[name];
    const first = columns[name][0][0] ?? Infinity;
    const later = stored[name][0].findIndex((at) => at >= first);
    const end = later < 0 ? stored[name][0].length : later;
    return columns[name].map((column, place) => [...stored[name][place].slice(0, end), ...column]);
  }

  // The part of the charts that the stream no longer holds comes from the stored windows.
  async function fillGap() {
    const answer = await fetch(page.dataset.series);
    if (!answer.ok) return;
    stored = await answer.json();
    drawSoon();
  }

  function logRow(line) {
    const row = element("div", `tb-line tb-line--${line.outcome}`);
    const took = line.e2e_ms === null ? "" : `${number(line.e2e_ms)} ms`;
    row.append(
      element("span", "tb-line__at", `${exact(Math.round(line.at_ms / 10) / 100)} s`),
      element("span", "tb-line__who", `${line.session % 2 ** 32}/${line.turn}`),
      element("span", "tb-line__what", line.code || line.outcome),
      element("span", "tb-line__took", took),
    );
    const text = element("span", "tb-line__text");
    text.append(element("span", "tb-line__said", line.message), element("span", "tb-line__answer", line.answer));
    row.append(text);
    return row;
  }

  function addLog(...rows) {
    const log = byId("log");
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(...rows);
    while (log.childElementCount > LOG_ROWS) log.firstElementChild.remove();
    if (following) log.scrollTop = log.scrollHeight;
  }

  const gapRow = (text) => element("div", "tb-line tb-line--gap", text);

  function showLines(data) {
    const rows = data.items.map(logRow);
    if (data.held_back > 0) rows.push(gapRow(`${number(data.held_back)} ${data.held_back === 1 ? "line" : "lines"} held back`));
    addLog(...rows);
  }

  // The page knows earlier changes from the database, and the stream tells of the same ones again.
  const changes = new Map(config.changes.map((change) => [change.at_s, change]));
  charts.mark([...changes.values()]);

  function addChange(change) {
    const known = changes.has(change.at_s);
    changes.set(change.at_s, change);
    charts.mark([...changes.values()]);
    const level = byId("load-level");
    if (level && !known && document.activeElement !== level) level.value = change.level;
  }

  function takeEntries(entries) {
    let tick = null;
    for (const [id, kind, data] of entries) {
      lastId = id;
      if (kind === "tick") {
        tick = data;
        addPoint(data);
      } else if (kind === "lines") {
        showLines(data);
      } else if (kind === "status") {
        showState(data.status, data.reason);
      } else if (kind === "load") {
        addChange(data);
      }
    }
    if (tick) {
      last = tick;
      byId("doing").textContent = tick.doing || ""; // of a search or a sweep
      byId("doing").hidden = ended || !tick.doing;
      showCounters(tick);
      showQuantiles(tick.metrics);
      showStandings(tick.thresholds);
      showGroups(tick.groups);
      drawSoon();
    }
  }

  // What was so far is now for good, and nothing is in flight any more.
  function finish() {
    ended = true;
    note("");
    page.classList.add("tb-page--ended");
    byId("ended").hidden = false;
    byId("doing").hidden = true;
    if (last) showCounters(last);
  }

  function take(message) {
    if (message.type === "entries") takeEntries(message.entries);
    else if (message.type === "gap") {
      addLog(gapRow("earlier lines are no longer kept here: the ledger has them"));
      fillGap();
    } else if (message.type === "state") {
      showState(message.status, message.reason);
      note(message.feed ? "" : "The live stream is not reachable. The run continues; retrying.");
    } else if (message.type === "end") {
      showState(message.status, message.reason);
      finish();
    }
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${config.socket}?last=${encodeURIComponent(lastId)}`);
    socket.addEventListener("message", (event) => {
      if (tries) note("");
      tries = 0;
      take(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (event.code === ENDED) return;
      const wait = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
      tries += 1;
      if (event.code === TOO_MANY) note("You have too many live pages open. Close some, and this one will continue.");
      else note(tries > RETRY_MS.length ? "The connection was refused several times. You may have to log in again." : "Connection lost. Reconnecting…");
      setTimeout(connect, wait);
    });
  }

  connect();
});
