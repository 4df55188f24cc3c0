"use strict";
// What several parts of the page use.

const $ = (id) => document.getElementById(id);
const text = (id, words) => { if ($(id).textContent !== words) $(id).textContent = words; };
const whole = (number, unit) => (number == null ? "–" : `${Math.round(number)}${unit ? " " + unit : ""}`);
const minus = (words) => words.replace(/-(?=\d)/g, "−");
const figure = (number, digits) => minus(number.toFixed(digits));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// How EF may be shown: "none" yet, "good", "stale" (no good beat of late), or "old" (the picture itself is not of now).
function state(now) {
  if (!now.reading || now.reading.ef_percent == null) return "none";
  if (!now.current) return "old";
  return now.reading.ef_stale ? "stale" : "good";
}

function interval(reading) {
  const beats = `${reading.ef_beats} beat${reading.ef_beats === 1 ? "" : "s"}`;
  return `${Math.round(reading.ef_low)} to ${Math.round(reading.ef_high)} %, ${beats}`;
}

function element(kind, name, words) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  if (words != null) made.textContent = words;
  return made;
}

// A canvas as large as it is shown, and empty; null where it is not shown.
function blank(canvas) {
  const scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  const width = Math.round(box.width * scale), height = Math.round(box.height * scale);
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  return { pen, width, height, scale };
}
