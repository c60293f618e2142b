// Keeps the list of workers up to date as long as the page is looked at.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const EVERY_MS = 3000;
  const place = document.getElementById("workers");
  if (!place) return;
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(place.dataset.url, { credentials: "same-origin", redirect: "error" });
      if (answer.ok) place.innerHTML = await answer.text(); // the template's own markup, escaped by Django
      place.classList.toggle("tb-stale", !answer.ok);
    } catch {
      place.classList.add("tb-stale"); // the site is away: what is shown is old
    }
  }, EVERY_MS);
});
