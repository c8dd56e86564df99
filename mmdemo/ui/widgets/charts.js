const { h, api, poll, poke, seconds, svg, toast } = mm;
const $ = (selector) => element.querySelector(selector);
const signed = (v) => `${v > 0 ? "+" : ""}${v.toFixed(1)}`;
const side = (g) => (g.low > 0 ? "up" : g.high < 0 ? "down" : "");
const mb = (n) => (n >= 1000 ? tr`${(n / 1000).toFixed(1)} GB` : n >= 10 ? tr`${Math.round(n)} MB` : n >= 0.05 ? tr`${n.toFixed(1)} MB` : tr`under 0.1 MB`);
const row = (cells, attributes = {}) => h("tr", attributes, cells.map((c) => (c instanceof Node && c.tagName === "TD" ? c : h("td", {}, c === "" ? null : c))));
// A table; on a narrow page each row of a wide one is a card, whose cells say their column
function grid(heads, rows) {
  for (const r of rows) [...r.children].forEach((c, i) => { if (heads[i]) c.dataset.label = heads[i]; });
  return mm.roving(plainTable(heads, rows));
}
const plainTable = (heads, rows) => h("div", { class: "mm-scroll" }, h("table", { class: "mm-table" }, mm.heads(...heads), h("tbody", {}, rows)));
// Where a number of a run, or of the version that it made, comes from
const source = (s, kind, of = "") => ({ kind, of, task: s.task, ...(s.version ? { version: s.version } : { run: s.run }) });
const figure = (value, from) => mm.number(value.toFixed(1), from);
const gainCells = (g, from, way = side(g)) => [h("td", { class: way }, mm.number(signed(g.gain), from)), h("td", { class: "mm-faint" }, mm.number(tr`${signed(g.low)} to ${signed(g.high)}`, from))];

// Draws a box anew where what it shows has changed; else it stays, and with it the focus.
function keep(box, shows, make) {
  const stamp = JSON.stringify(shows);
  if (box.dataset.stamp === stamp) return;
  box.dataset.stamp = stamp;
  box.replaceChildren(...make().flat().filter(Boolean));
}

/* A line chart as SVG: a list of series with points [x, y] and perhaps a band [x, low, high];
   `last_x` is where it will end */
function chart(title, series, xName, unit, from, last_x = 0) {
  const W = 420, H = 150, L = 44, R = 8, T = 10, B = 24;
  const points = series.flatMap((s) => [...s.points, ...(s.band || []).flatMap(([x, lo, hi]) => [[x, lo], [x, hi]])]);
  if (!points.length) return null;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs, last_x), Math.min(...ys), Math.max(...ys)];
  if (x0 === x1) { x0 -= 1; x1 += 1; }
  const room = (y1 - y0) * 0.1 || 1;
  y0 = Math.max(0, y0 - room); y1 = unit === " %" ? Math.min(100, y1 + room) : y1 + room;
  const X = (x) => L + ((x - x0) / (x1 - x0)) * (W - L - R), Y = (y) => H - B - ((y - y0) / (y1 - y0)) * (H - T - B);
  const digits = y1 - y0 >= 10 ? 0 : y1 - y0 >= 2 ? 1 : 2, tick = (v) => v.toFixed(digits);
  const marks = [0, 0.5, 1].map((t) => y0 + t * (y1 - y0)).flatMap((y) => [
    svg("line", { x1: L, x2: W - R, y1: Y(y), y2: Y(y), class: "grid" }),
    svg("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, tick(y))]);
  const bottom = [svg("text", { x: L, y: H - 6 }, String(Math.round(x0))), svg("text", { x: W - R, y: H - 6, "text-anchor": "end" }, String(Math.round(x1))),
    svg("text", { class: "axis", x: (L + W - R) / 2, y: H - 6, "text-anchor": "middle" }, xName)];
  const lines = series.flatMap((s, i) => [
    ...(s.band ? [svg("polygon", { class: `band s${i}`, points: [...s.band.map(([x, lo]) => `${X(x)},${Y(lo)}`), ...[...s.band].reverse().map(([x, , hi]) => `${X(x)},${Y(hi)}`)].join(" ") })] : []),
    svg("polyline", { class: `line s${i}`, points: s.points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" ") }),
    ...(s.dots || s.points.length === 1 ? s.points.map(([x, y]) => svg("circle", { class: `dot s${i}`, cx: X(x), cy: Y(y), r: 3 })) : [])]);
  const last = series[0].points.at(-1);
  return h("figure", { class: "mm-chart" }, h("figcaption", {}, `${title} `, last ? h("b", {}, mm.number(`${tick(last[1])}${unit}`, from)) : ""),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": tr`${title}, last ${last ? tick(last[1]) : tr`none`}` }, ...marks, ...bottom, ...lines));
}

// What the views of the tab share: what is trained, the open view, errors
let captioner = false, open = "train";
const chosenTask = () => (captioner && mm.task.name === "image-text" ? "captioning" : mm.task.name);
const ask = (name, body = {}) => api(name, { task: chosenTask(), ...body });
const views = {};  // of each: what draws it
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const noun = () => mm.task.modality.noun;
const guard = (f) => async (e) => { error(""); try { await f(e); } catch (x) { error(x.message); } drawn = ""; poke(); drawPart(); };
const button = (text, f, more = {}) => h("button", { class: "mm-link", type: "button", onclick: guard(f), ...more }, text);
let drawn = "";
