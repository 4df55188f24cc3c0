"use strict";
// The list of measures: the foremost beside EF, all others folded away. Whether they are current shows by `data-ef` of
// the section, which `state` of page.js decides.

// The usual range in words; empty where none is known.
function usual(measure) {
  if (!measure.normal) return "";
  const [low, high] = measure.normal.map((end) => end == null ? null : minus(String(end)));
  return low == null ? `≤ ${high}` : high == null ? `≥ ${low}` : `${low} to ${high}`;
}

// What stands below a measure. A reason that the next one shares is said there, once.
function remark(measure, next) {
  if (measure.value == null) return next && next.value == null && next.reason === measure.reason ? "" : measure.reason;
  const range = usual(measure);
  return !range ? "" : measure.usual === false ? `◆ outside the usual ${range}` : `usual ${range}`;
}

function row(measure, place, list) {
  const item = element("li", measure.value == null ? "unknown" : measure.usual === false ? "outside" : "");
  const value = element("b", "", measure.value == null ? "–" : figure(measure.value, measure.digits));
  if (measure.value != null && measure.unit) value.append(element("small", "", ` ${measure.unit}`));
  item.append(element("span", "", measure.label), value);
  item.append(element("i", "", measure.spread == null ? "" : `± ${figure(measure.spread, measure.digits)}`));
  const words = remark(measure, list[place + 1]);
  if (words) item.append(element("small", "remark", words));
  return item;
}

function showMeasures(said) {
  const { measures, rhythm } = said, beats = `${rhythm.beats} beat${rhythm.beats === 1 ? "" : "s"}`;
  text("of-beats", !measures.length ? "after the first whole beat" : rhythm.beats && !rhythm.irregular ? `median ± SD of ${beats}` : "");
  $("rhythm").hidden = !rhythm.irregular;
  text("rhythm", `⚠ irregular rhythm: mean ± SD of ${beats}; their lengths vary by ${rhythm.rr_variation_percent} %`);
  $("foremost").replaceChildren(...measures.filter((one) => one.foremost).map(row));
  const others = measures.filter((one) => !one.foremost), groups = [...new Set(others.map((one) => one.group))];
  $("others").replaceChildren(...groups.flatMap((group) => {
    const list = element("ul", "measures");
    list.append(...others.filter((one) => one.group === group).map(row));
    return [element("h3", "", group), list];
  }));
  $("more").hidden = !others.length;
}

// Its list is longer than its place: the heading comes to the top, EF stays where it is.
$("more").ontoggle = () => { if ($("more").open) $("more").scrollIntoView({ block: "nearest" }); };
