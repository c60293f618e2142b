// The charts that the live page and the report share: uPlot, in the colours of the page's theme. What they draw is
// said once, in metrics/report/charts.py: the page has it as chart-lines.
"use strict";

window.TokenBurnCharts = (() => {
  const HEIGHT = 190;
  const AXIS = 48;
  const LETTER = 7; // an axis is as wide as its longest label
  const { number, exact, elapsed } = window.TokenBurnFormat;
  const lines = JSON.parse(document.getElementById("chart-lines").textContent);
  const names = Object.keys(lines).filter((name) => !name.startsWith("load-"));
  const charts = new Map();

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  const longest = (labels) => Math.max(0, ...(labels || []).map((label) => label.length));

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
      scales: {
        x: { time: false, range: (_, low, high) => (over ? [0, high * 1.05] : [low, Math.max(high, low + 1)]) },
        y: { range: (_, low, high) => [0, high > 0 ? high * (over ? 1.35 : 1.1) : 1] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(over ? exact : elapsed) },
        { ...axis, size: (_, labels) => Math.max(AXIS, 16 + LETTER * longest(labels)), values: (_, ticks) => ticks.map(exact) },
      ],
      series: [
        { label: over ? over.unit : "at", value: (_, value) => (value === null ? "-" : over ? exact(value) : elapsed(value)) },
        ...series.map(([label, tone]) => ({
          label,
          stroke: () => colour(`--tb-${tone}`),
          width: 1.5,
          points: { show: (chart) => Boolean(over) || chart.data[0].length < 3, size: 5 },
          value: (_, value) => number(value),
        })),
      ],
    };
  }

  // Vertical lines where the load was changed, with the level that was set.
  let marks = [];

  function drawChanges(chart) {
    drawMarks(chart, "--tb-text", marks.map(({ at_s: at, level }) => [at, exact(level), 0, false]));
  }

  // Such as the capacity: names of several stand below one another, on the side that has room.
  function drawPlaces(chart, places) {
    const high = chart.scales.x.max;
    drawMarks(chart, "--tb-info", places.map(([at, name], row) => [at, name, row, at > high / 2]));
  }

  // `places`: [at, name, the name's row, whether it stands left of the line].
  function drawMarks(chart, ink, places) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour(ink);
    ctx.font = `${11 * devicePixelRatio}px sans-serif`;
    ctx.setLineDash([4, 4]);
    for (const [at, name, row, left] of places) {
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
    const series = lines[name].slice(0, columns.length - 1);
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

  return { draw, mark, names, lines };
})();
