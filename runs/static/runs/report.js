// Draws the report's charts from the stored windows.
"use strict";

document.addEventListener("DOMContentLoaded", async () => {
  const charts = window.TokenBurnCharts;
  const answer = await fetch(document.querySelector("[data-series]").dataset.series);
  if (!answer.ok) return;
  const columns = charts.fromSeries(await answer.json());
  charts.names.forEach((name) => charts.draw(name, columns[name]));
});
