"use strict";
// Three small lines: what each beat that counts said in the last minute.

const TRENDS = [  // least: of the range that is drawn, so that a steady heart looks steady
  { name: "EF", unit: "%", colour: "contour", least: 20 },
  { name: "Strain", unit: "%", colour: "amber", least: 10 },
  { name: "Rate", unit: "bpm", colour: "blue", least: 20 },
];
const TOGETHER_S = 0.1;  // beats that are further apart have one between them that does not count

for (const trend of TRENDS) {
  trend.canvas = document.createElement("canvas");
  trend.value = element("b", "", "–");
  trend.spread = element("small");
  const item = element("li"), found = element("span", "found");
  found.append(trend.value, trend.spread);
  item.append(element("span", "name", trend.name), trend.canvas, found);
  $("trends").append(item);
}

function drawTrends(trends, end, current) {
  TRENDS.forEach((trend, place) => {
    const points = trends ? trends.points.filter((point) => point[2 + place] != null) : [];
    const newest = points.length ? points[points.length - 1][2 + place] : null, spread = trends && trends.sd[place];
    trend.value.replaceChildren(newest == null ? "–" : figure(newest, 0), element("small", "", newest == null ? "" : ` ${trend.unit}`));
    trend.spread.textContent = spread == null ? "" : `± ${figure(spread, 1)}`;
    const sheet = blank(trend.canvas);
    if (sheet && points.length && end != null) drawTrend(sheet, trend, points, 2 + place, end, trends.seconds, current);
  });
}

function drawTrend({ pen, width, height, scale }, trend, points, column, end, seconds, current) {
  const figures = points.map((point) => point[column]), middle = (Math.min(...figures) + Math.max(...figures)) / 2;
  const half = Math.max(trend.least, 1.2 * (Math.max(...figures) - Math.min(...figures))) / 2;
  const left = 26 * scale, edge = 3 * scale;
  const x = (t) => left + (1 - (end - t) / seconds) * (width - left - edge);
  const y = (v) => height / 2 - ((v - middle) / half) * (height / 2 - edge);
  pen.font = `${10 * scale}px system-ui, sans-serif`;
  pen.textAlign = "right";
  pen.lineWidth = scale;
  pen.strokeStyle = colour("line");
  pen.fillStyle = colour("dim");
  for (const [v, base] of [[middle + half, "top"], [middle - half, "bottom"]]) {
    pen.beginPath(); pen.moveTo(left, y(v)); pen.lineTo(width - edge, y(v)); pen.stroke();
    pen.textBaseline = base;
    pen.fillText(figure(v, 0), left - 4 * scale, base === "top" ? 0 : height);
  }
  pen.strokeStyle = pen.fillStyle = colour(trend.colour);
  pen.globalAlpha = current ? 1 : 0.4;
  pen.lineWidth = 1.5 * scale;
  pen.beginPath();
  let before = null;
  for (const point of points) {
    const at = x((point[0] + point[1]) / 2), to = y(point[column]);
    if (before == null || point[0] - before > TOGETHER_S) { pen.rect(at - scale, to - scale, 2 * scale, 2 * scale); pen.moveTo(at, to); }
    else pen.lineTo(at, to);
    before = point[1];
  }
  pen.stroke();
  pen.globalAlpha = 1;
}
