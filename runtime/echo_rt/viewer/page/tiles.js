"use strict";
// All feeds at once, a tile each. What is not current never looks as if it were: `state` in parts.js decides that.

const tiles = [];
let socket = null, heard = 0, newest = null;

const TITLES = { opening: "Opening", lost: "Source lost", stopped: "Stopped", frozen: "Frozen", ended: "Ended", gone: "No connection" };

function part(kind, name, ...inside) {
  const made = element(kind, name);
  made.append(...inside);
  return made;
}

// Sets words only where they changed: a screen reader says them again otherwise.
function put(where, words) { if (where.textContent !== words) where.textContent = words; }

function makeTile(place) {
  const found = { box: part("a", "tile"), phase: null };
  for (const name of ["name", "percent", "rate"]) found[name] = element(name === "name" ? "b" : name === "rate" ? "b" : "span");
  for (const name of ["interval", "note", "quality"]) found[name] = element("p", name);
  for (const name of ["words", "extra"]) found[name] = element("span");
  found.canvas = document.createElement("canvas");
  found.why = part("p", "why");
  found.more = part("p", "more", found.rate, element("br"), found.extra);
  found.box.href = `/${place + 1}`;
  found.box.append(
    part("p", "title", element("kbd", "", place < 9 ? String(place + 1) : ""), found.name, part("span", "state", element("span", "dot"), found.words)),
    part("div", "image", found.canvas, found.why),
    part("div", "bar", part("p", "ef", found.percent, element("span", "unit", "%")), part("div", "said", found.interval, found.note, found.quality), found.more),
  );
  $("tiles").append(found.box);
  return found;
}

function showTile(tile, now) {
  const how = state(now), reading = now.reading, live = reading && now.current;
  tile.box.dataset.ef = how;
  tile.box.dataset.phase = now.phase;
  tile.box.classList.toggle("old", !now.current);
  tile.box.setAttribute("aria-label", `${now.name}, ${now.phase_text}: open`);
  put(tile.name, now.name);
  tile.box.title = now.source || "";
  put(tile.words, now.phase_text);
  put(tile.percent, reading && reading.ef_percent != null ? String(Math.round(reading.ef_percent)) : "–");
  put(tile.interval, reading && reading.ef_low != null ? interval(reading) : "");
  put(tile.note, {
    none: (reading && live && reading.ef_reason) || (reading ? "" : "waiting for a picture"),
    good: "",
    stale: `not current: ${(reading && reading.ef_reason) || "no good beat of late"}`,
    old: `not current: ${now.phase_text}`,
  }[how]);
  tile.quality.className = live && reading.quality !== "ok" ? "quality bad" : "quality";
  put(tile.quality, !live ? "" : reading.quality === "ok" ? "✓ image usable" : `⚠ image not used: ${reading.quality}`);
  put(tile.rate, live ? whole(reading.heart_rate_bpm, "bpm") : "–");
  const dropped = Object.values(now.dropped || {}).reduce((sum, count) => sum + count, 0);
  put(tile.extra, [(live && reading.view) || "no view", now.fps == null || !live ? "" : `${Math.round(now.fps)} fps`, dropped ? `${dropped} dropped` : ""].filter(Boolean).join(" · "));
  const said = now.phase === "running" ? now.message : `${TITLES[now.phase] || now.phase_text}\n${now.message || ""}`;
  tile.why.hidden = !said;
  if (tile.why.dataset.said !== said) {
    const [title, ...rest] = (said || "").split("\n");
    tile.why.replaceChildren(title, ...rest.filter(Boolean).map((words) => element("small", "", words)));
    tile.why.dataset.said = said;
  }
}

function showBiplane(found) {
  $("biplane").hidden = !found;
  if (!found) return;
  $("biplane").dataset.ef = found.ef_percent == null ? "none" : found.stale ? "stale" : "good";
  text("biplane-ef", found.ef_percent == null ? "–" : String(Math.round(found.ef_percent)));
  text("biplane-interval", found.ef_low == null ? "" : `${Math.round(found.ef_low)} to ${Math.round(found.ef_high)} %, ${found.pairs} pair${found.pairs === 1 ? "" : "s"} of beats`);
  text("biplane-volumes", found.edv_ml == null ? "" : `EDV ${Math.round(found.edv_ml)} mL, ESV ${Math.round(found.esv_ml)} mL`);
  text("biplane-note", [found.stale ? `not current: ${found.reason}` : found.reason, found.note].filter(Boolean).join("; "));
}

// In so many columns, four tiles are a square and two stand side by side.
const columns = (count) => (count <= 1 ? 1 : count <= 4 ? 2 : count <= 9 ? 3 : 4);

function show(said) {
  newest = said;
  while (tiles.length < said.feeds.length) tiles.push(makeTile(tiles.length));
  $("tiles").style.setProperty("--columns", columns(tiles.length));
  said.feeds.forEach((feed, place) => showTile(tiles[place], feed));
  showBiplane(said.biplane);
  const running = said.feeds.filter((feed) => feed.phase === "running").length, lost = said.feeds.some((feed) => feed.phase === "lost");
  document.body.dataset.phase = lost ? "lost" : running === said.feeds.length ? "running" : "opening";
  text("phase-text", `${running} of ${said.feeds.length} running`);
  const first = said.feeds.find((feed) => feed.engine);
  if (first) text("engine", `${first.model}; ${first.engine}`);
}

async function showPicture(data) {
  try {
    const place = new Uint8Array(await data.slice(0, 1).arrayBuffer())[0];
    const bitmap = await createImageBitmap(data.slice(1, data.size, "image/jpeg")), { canvas } = tiles[place];
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  } finally {
    if (socket.readyState === WebSocket.OPEN) socket.send('{"do":"shown"}');
  }
}

function hear(event) {
  heard = Date.now();
  if (event.data instanceof Blob) showPicture(event.data); else show(JSON.parse(event.data));
}

// The program itself does not answer any more: nothing on the page is current.
function gone() {
  const over = newest && newest.feeds.every((feed) => feed.phase === "ended");
  if (newest) {
    const feeds = newest.feeds.map((feed) => (over ? feed : { ...feed, current: false, phase: "gone", phase_text: "no connection", message: "" }));
    const found = newest.biplane && newest.biplane.ef_percent != null ? { ...newest.biplane, stale: true, reason: over ? "ended" : "no connection" } : newest.biplane;
    show({ feeds, biplane: found });
  }
  document.body.dataset.phase = "gone";
  text("phase-text", over ? "ended" : "no connection");
  $("banner").hidden = over;
  text("banner", "No connection to echo-rt: it has ended or cannot be reached; trying again every second.");
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/tiles`);
  socket.onopen = () => { $("banner").hidden = true; };
  socket.onmessage = hear;
  socket.onclose = () => { gone(); setTimeout(connect, 1000); };
}

document.onkeydown = (event) => {
  const tile = /^[1-9]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey && tiles[Number(event.key) - 1];
  if (tile) tile.box.click();
};
setInterval(() => { if (heard && Date.now() - heard > 3000 && socket.readyState === WebSocket.OPEN) socket.close(); }, 500);
connect();
