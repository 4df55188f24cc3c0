"use strict";
// Shows what comes over the socket. What is not current never looks as if it were: `state` in parts.js decides that.

let socket = null;
let last = null;       // the newest figures
let past = null;       // the curve
let beats = null;      // what each beat said: the last ones, trends, rhythm, measures
let heard = 0;         // when something last came, ms
let noted = 0;

function send(wish) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wish));
}

const METHODS = { disks: "method of disks", "area-length": "area-length", area: "from area, as FAC", biplane: "biplane disks" };

function showFigures(now) {
  const how = state(now), reading = now.reading;
  for (const id of ["figures", "trends-box"]) $(id).dataset.ef = how;
  text("ef-percent", reading && reading.ef_percent != null ? String(Math.round(reading.ef_percent)) : "–");
  text("ef-interval", reading && reading.ef_low != null ? interval(reading) : "");
  const notes = {
    none: (reading && reading.ef_reason) || (now.phase === "stopped" ? "stopped" : "waiting for a picture"),
    good: reading ? METHODS[reading.ef_method] || reading.ef_method : "",
    stale: `not current: ${reading && reading.ef_reason ? reading.ef_reason : "no good beat of late"}`,
    old: `not current: ${now.phase_text}`,
  };
  text("ef-note", notes[how]);
  const live = reading && now.current;
  text("hr", live ? whole(reading.heart_rate_bpm, "bpm") : "–");
  text("fac", live ? whole(reading.fac_percent, "%") : "–");
  text("volume", !live ? "–" : reading.calibrated === false ? "no scale" : whole(reading.volume, reading.volume_unit));
  text("view", (live && reading.view) || "–");
  $("quality").className = live && reading.quality !== "ok" ? "bad" : "";
  text("quality", !live ? "" : reading.quality === "ok" ? "✓ image usable" : `⚠ image not used: ${reading.quality}`);
  $("wall").replaceChildren(...(live ? reading.wall : []).map(segment));
}

function segment(one) {
  const item = document.createElement("li"), name = document.createElement("span"), figure = document.createElement("b");
  const bar = document.createElement("meter");
  name.textContent = one.segment;
  figure.textContent = one.motion_percent == null ? "–" : one.akinetic ? `akinetic ${one.motion_percent}` : String(one.motion_percent);
  bar.max = 50;
  bar.value = Math.max(0, one.motion_percent || 0);
  item.className = one.akinetic ? "still" : "";
  item.append(name, figure, bar);
  return item;
}

function showStatus(now) {
  document.body.dataset.phase = now.phase;
  text("phase-text", now.phase_text);
  const stopped = now.phase === "stopped", frozen = now.phase === "frozen";
  text("run", stopped ? "Start" : "Stop");
  text("freeze", frozen ? "Go on" : "Freeze");
  $("freeze").setAttribute("aria-pressed", String(frozen));
  $("freeze").disabled = stopped || now.phase === "ended";
  for (const id of ["run", "reset", "snapshot", "source"]) $(id).disabled = now.phase === "ended";
  const lines = { opening: "Opening the source", lost: "Source lost", stopped: "Stopped", frozen: "Frozen", ended: "Ended" };
  banner(now.phase === "running" ? (now.message ? ["", now.message] : null) : [lines[now.phase] || now.phase_text, now.message],
    now.phase !== "lost");
  $("image").classList.toggle("old", !now.current);
  const parts = [];
  if (now.age_ms != null) parts.push(`frame to reading ${now.age_ms.toFixed(0)} ms (p99 ${whole(now.age_p99_ms)})`);
  if (now.fps != null) parts.push(`${now.fps.toFixed(0)} fps`);
  text("latency", parts.join(", "));
  const drops = Object.entries(now.dropped).map(([why, count]) => `${count} ${why}`).join(", ");
  text("drops", `dropped: ${drops || "none"}${now.reopened ? `; reopened ${now.reopened} times` : ""}`);
  text("recording", now.recording ? `recording to ${now.recording}` : "");
  text("engine", `${now.model}; ${now.engine}`);
  const select = $("source");
  if (now.source && ![...select.options].some((option) => option.textContent === now.source)) select.add(new Option(now.source, now.source));
  const chosen = [...select.options].find((option) => option.textContent === now.source);
  if (chosen && document.activeElement !== select) select.value = chosen.value;
}

function banner(words, soft) {
  const box = $("banner");
  box.hidden = !words;
  if (!words) return;
  const [title, detail] = words;
  if (box.dataset.words !== title + detail) {
    const small = document.createElement("small");
    small.textContent = detail || "";
    box.replaceChildren(title, small);
    box.dataset.words = title + detail;
  }
  box.classList.toggle("soft", soft);
}

function showBeats(list) {
  $("beats").replaceChildren(...list.slice().reverse().map((beat) => {
    const item = document.createElement("li"), ef = document.createElement("b"), rate = document.createElement("span"), why = document.createElement("span");
    ef.textContent = `${Math.round(beat.ef_percent)} %`;
    rate.textContent = `${whole(beat.heart_rate_bpm)} bpm`;
    why.textContent = beat.accepted ? "counted" : beat.reason || "not counted";
    item.className = beat.accepted ? "" : "not";
    item.append(ef, rate, why);
    return item;
  }));
}

// Curve and trends run with the clock of the frames: their right end is the newest frame.
function draw() {
  drawCurve();
  drawTrends(beats && beats.trends, past && past.curve.length ? past.curve[past.curve.length - 1][0] : null, last && last.current);
}

function drawCurve() {
  const sheet = blank($("curve"));
  if (!sheet || !past || !past.curve.length) return;
  const { pen, width, height, scale } = sheet;
  const end = past.curve[past.curve.length - 1][0], start = end - past.curve_s;
  const seen = past.curve.map((point) => point[1]).filter((volume) => volume != null);
  if (!seen.length) return;
  const low = Math.min(...seen), high = Math.max(...seen), room = Math.max(0.12 * (high - low), 0.02 * high);
  const left = 58 * scale, right = width - 10 * scale, top = 8 * scale, bottom = height - 20 * scale;
  const x = (t) => left + ((t - start) / past.curve_s) * (right - left);
  const y = (v) => bottom - ((v - low + room) / (high - low + 2 * room)) * (bottom - top);
  pen.font = `${12 * scale}px system-ui, sans-serif`;
  pen.fillStyle = colour("dim");
  pen.strokeStyle = colour("line");
  pen.lineWidth = scale;
  pen.textAlign = "right";
  for (const volume of [low, (low + high) / 2, high]) {
    pen.beginPath(); pen.moveTo(left, y(volume)); pen.lineTo(right, y(volume)); pen.stroke();
    pen.fillText(volume >= 10000 ? `${Math.round(volume / 1000)}k` : Math.round(volume), left - 6 * scale, y(volume) + 4 * scale);
  }
  pen.textAlign = "center";
  for (let s = 0; s <= past.curve_s; s += 2) pen.fillText(s === past.curve_s ? "now" : `−${past.curve_s - s} s`, Math.min(x(start + s), right - 14 * scale), height - 5 * scale);
  pen.strokeStyle = colour("contour");
  pen.lineWidth = 2 * scale;
  pen.globalAlpha = last && last.current ? 1 : 0.4;
  pen.beginPath();
  let open = false, before = 0;
  for (const [t, volume] of past.curve) {
    if (volume == null || t - before > 0.5) open = false;
    if (volume != null) { if (open) pen.lineTo(x(t), y(volume)); else pen.moveTo(x(t), y(volume)); open = true; }
    before = t;
  }
  pen.stroke();
  for (const beat of beats ? beats.beats : []) {
    mark(pen, x(beat.t_ed_s), y(beat.edv), 1, beat.accepted, colour("blue"), colour("dim"), left, scale);
    mark(pen, x(beat.t_es_s), y(beat.esv), -1, beat.accepted, colour("amber"), colour("dim"), left, scale);
  }
  pen.globalAlpha = 1;
  text("curve-unit", last && last.reading ? `(${last.reading.volume_unit || "–"}, last ${past.curve_s} s)` : "");
}

function mark(pen, x, y, way, accepted, colour, dim, left, scale) {
  if (x < left) return;
  const size = 6 * scale;
  pen.beginPath();
  if (!accepted) {
    pen.strokeStyle = dim;
    pen.lineWidth = 1.5 * scale;
    pen.arc(x, y, 0.7 * size, 0, 2 * Math.PI);
    pen.stroke();
    return;
  }
  pen.fillStyle = colour;
  pen.moveTo(x, y - way * 2 * scale);
  pen.lineTo(x - size * 0.7, y - way * (2 * scale + 1.4 * size));
  pen.lineTo(x + size * 0.7, y - way * (2 * scale + 1.4 * size));
  pen.fill();
}

async function showPicture(jpeg) {
  try {
    const bitmap = await createImageBitmap(jpeg), canvas = $("picture");
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    $("image").classList.add("has");
  } finally {
    send({ do: "shown" });
  }
}

function hear(event) {
  heard = Date.now();
  if (event.data instanceof Blob) { showPicture(event.data); return; }
  const said = JSON.parse(event.data);
  if (said.sources) {
    $("all").hidden = !said.name;
    if (said.name) { text("all", `◂ All feeds · ${said.name}`); document.title = `${said.name} · echo-rt`; }
    $("source").replaceChildren(...said.sources.map((uri) => new Option(uri, uri)));
    return;
  }
  if (said.note) { text("note", said.note); noted = Date.now(); return; }
  last = said;
  if (said.by_beat) { beats = said.by_beat; showBeats(beats.beats); showMeasures(beats); }
  if (said.history) { past = said.history; draw(); }
  if (!said.reading) $("image").classList.remove("has");
  showFigures(said);
  showStatus(said);
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed${location.pathname.replace(/\/$/, "")}`);
  socket.onmessage = hear;
  socket.onclose = () => { gone(); setTimeout(connect, 1000); };
}

// The program itself does not answer any more: nothing on the page is current.
function gone() {
  document.body.dataset.phase = "gone";
  text("phase-text", "no connection");
  if (last && last.phase === "ended") { text("phase-text", "ended"); return; }
  banner(["No connection to echo-rt", "The program has ended or cannot be reached; trying again every second."], false);
  $("image").classList.add("old");
  if (last) { last = { ...last, current: false, phase: "gone", phase_text: "no connection" }; showFigures(last); draw(); }
}

$("run").onclick = () => send({ do: document.body.dataset.phase === "stopped" ? "start" : "stop" });
$("freeze").onclick = () => send({ do: document.body.dataset.phase === "frozen" ? "resume" : "freeze" });
$("reset").onclick = () => send({ do: "reset" });
$("snapshot").onclick = () => send({ do: "snapshot" });
$("source").onchange = (event) => { send({ do: "select", source: event.target.value }); event.target.blur(); };
document.onkeydown = (event) => {
  if (event.key === "Escape" && !$("all").hidden && !event.target.closest("select")) { $("all").click(); return; }
  if (event.target.closest("button, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const press = { " ": "freeze", r: "reset", s: "snapshot" }[event.key];
  if (press) { event.preventDefault(); $(press).click(); }
};
window.onresize = draw;
setInterval(() => {
  if (heard && Date.now() - heard > 3000 && socket.readyState === WebSocket.OPEN) { socket.close(); }
  if (noted && Date.now() - noted > 8000) { noted = 0; text("note", ""); }
}, 500);
connect();
