// Draws the report's charts from the columns in the page.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("report-charts");
  if (!place) return;
  const columns = JSON.parse(place.textContent);
  window.TokenBurnCharts.mark(JSON.parse(document.getElementById("report-changes").textContent));
  window.TokenBurnCharts.names.forEach((name) => window.TokenBurnCharts.draw(name, columns[name]));
});
