// Draws the report's charts from the columns in the page.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("report-charts");
  if (!place) return;
  const columns = JSON.parse(place.textContent);
  window.TokenBurnCharts.mark(JSON.parse(document.getElementById("report-changes").textContent));
  window.TokenBurnCharts.names.forEach((name) => window.TokenBurnCharts.draw(name, columns[name]));
  const curve = document.getElementById("report-curve");
  if (!curve) return;
  const { charts, unit, marks } = JSON.parse(curve.textContent);
  Object.entries(charts).forEach(([name, found]) => window.TokenBurnCharts.draw(name, found, { unit, marks }));
});
