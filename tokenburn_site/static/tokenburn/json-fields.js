// Makes textareas that hold JSON (data-json) pleasant: indented, checked while typing, Tab indents.
"use strict";

(() => {
  // JavaScript would round whole numbers of this many digits: such a text is left as it came.
  const LONG_NUMBER = /\d{16}/;

  function indent(area) {
    if (LONG_NUMBER.test(area.value)) return;
    try {
      area.value = JSON.stringify(JSON.parse(area.value), null, 2);
    } catch {
      // Not JSON (yet): the message below the field says where.
    }
  }

  function problem(text) {
    if (!text.trim()) return "";
    try {
      JSON.parse(text);
      return "";
    } catch (error) {
      return error.message;
    }
  }

  function attach(area) {
    const note = document.createElement("div");
    note.className = "tb-json-problem";
    note.setAttribute("role", "status");
    area.after(note);
    area.spellcheck = false;
    const check = () => {
      note.textContent = problem(area.value);
    };
    area.addEventListener("input", check);
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || event.shiftKey || event.altKey || event.ctrlKey) return;
      if (area.dataset.leave) return;
      event.preventDefault();
      area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
      check();
    });
    // Escape, then Tab, leaves the field: nobody is caught in it without a mouse.
    area.addEventListener("keyup", (event) => {
      if (event.key === "Escape") area.dataset.leave = "yes";
    });
    area.addEventListener("blur", () => delete area.dataset.leave);
    indent(area);
    check();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("textarea[data-json]").forEach(attach);
  });
})();
