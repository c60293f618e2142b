// The four charts that the live page and the report share: uPlot, in the colours of the page's theme.
"use strict";

window.TokenBurnCharts = (() => {
  const HEIGHT = 190;
  const SERIES = {
    turns: [["ok", "--tb-good"], ["failed", "--tb-bad"]],
    active: [["sessions", "--tb-accent"]],
    ttft: [["p50", "--tb-good"], ["p95", "--tb-accent"], ["p99", "--tb-bad"]],
    e2e: [["p50", "--tb-good"], ["p95", "--tb-accent"], ["p99", "--tb-bad"]],
    "load-turns": [["ok", "--tb-good"]],
    "load-failed": [["failed", "--tb-bad"]],
    "load-ttft": [["p50", "--tb-good"], ["p95", "--tb-accent"]],
    "load-e2e": [["p50", "--tb-good"], ["p95", "--tb-accent"]],
  };
  const OVER_TIME = Object.keys(SERIES).filter((name) => !name.startsWith("load-"));
  const charts = new Map();

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  function short(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
    if (size >= 1e4) return `${Math.round(value / 1e3)}k`;
    return size >= 100 ? value.toFixed(0) : size >= 1 ? String(Math.round(value * 10) / 10) : String(Math.round(value * 1000) / 1000);
  }

  function clock(seconds) {
    const whole = Math.round(seconds);
    const rest = String(whole % 60).padStart(2, "0");
    const minutes = Math.floor(whole / 60);
    if (minutes < 60) return `${minutes}:${rest}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  }

  // `over`: what is drawn over load instead of time, {unit, marks: [[level, name], ..]}.
  function options(width, series, over) {
    const axis = {
      stroke: () => colour("--tb-text"),
      grid: { stroke: () => colour("--tb-grid"), width: 1 },
      ticks: { stroke: () => colour("--tb-grid"), width: 1 },
      font: "11px sans-serif",
    };
    return {
      width,
      height: HEIGHT,
      hooks: { draw: [over ? (chart) => drawPlaces(chart, over.marks) : drawChanges] },
      scales: { x: { time: false, ...(over && { range: (_, low, high) => [0, high * 1.05] }) }, y: { range: (_, low, high) => [0, high > 0 ? high * (over ? 1.35 : 1.1) : 1] } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(over ? short : clock) },
        { ...axis, size: 48, values: (_, ticks) => ticks.map(short) },
      ],
      series: [
        { label: over ? over.unit : "at", value: (_, value) => (value === null ? "–" : over ? short(value) : clock(value)) },
        ...series.map(([label, stroke]) => ({
          label,
          stroke: () => colour(stroke),
          width: 1.5,
          points: { show: (chart) => Boolean(over) || chart.data[0].length < 3, size: 5 },
          value: (_, value) => short(value),
        })),
      ],
    };
  }

  // Vertical lines where the load was changed, with the level that was set.
  let marks = [];

  function drawChanges(chart) {
    drawMarks(chart, "--tb-text", marks.map(({ at_s: at, level }) => [at, short(level), 0, false]));
  }

  // Such as the capacity: names of several stand below one another, on the side that has room.
  function drawPlaces(chart, places) {
    const high = chart.scales.x.max;
    drawMarks(chart, "--tb-info", places.map(([at, name], row) => [at, name, row, at > high / 2]));
  }

  // `lines`: [at, name, the name's row, whether it stands left of the line].
  function drawMarks(chart, ink, lines) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour(ink);
    ctx.font = `${11 * devicePixelRatio}px sans-serif`;
    ctx.setLineDash([4, 4]);
    for (const [at, name, row, left] of lines) {
      const x = chart.valToPos(at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.textAlign = left ? "right" : "left";
      ctx.fillText(name, x + (left ? -3 : 3) * devicePixelRatio, bbox.top + (11 + 14 * row) * devicePixelRatio);
    }
    ctx.restore();
  }

  // `changes`: [{at_s, level}, ..], all of them.
  function mark(changes) {
    marks = changes;
    charts.forEach((chart) => chart.redraw(false));
  }

  // `columns`: the times, or the levels of the load, then one column for each of the chart's series.
  function draw(name, columns, over) {
    const place = document.getElementById(`chart-${name}`);
    if (!place) return;
    const chart = charts.get(name);
    if (chart) {
      chart.setData(columns);
      return;
    }
    const series = SERIES[name].slice(0, columns.length - 1);
    charts.set(name, new window.uPlot(options(place.clientWidth || 320, series, over), columns, place));
  }

  function fit() {
    for (const [name, chart] of charts) {
      const width = document.getElementById(`chart-${name}`).clientWidth;
      if (width && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    }
  }

  new ResizeObserver(fit).observe(document.documentElement);
  // The theme's switch changes a class of <html>: canvas pixels do not follow by themselves.
  new MutationObserver(() => charts.forEach((chart) => chart.redraw(false, true))).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["class"],
  });

  return { draw, mark, short, names: OVER_TIME };
})();
