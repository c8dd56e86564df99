const { h, api, poll, poke, seconds, svg, toast } = mm;
const $ = (selector) => element.querySelector(selector);
const signed = (v) => `${v > 0 ? "+" : ""}${v.toFixed(1)}`;
const side = (g) => (g.low > 0 ? "up" : g.high < 0 ? "down" : "");
const mb = (n) => (n >= 1000 ? `${(n / 1000).toFixed(1)} GB` : n >= 10 ? `${Math.round(n)} MB` : n >= 0.05 ? `${n.toFixed(1)} MB` : "under 0.1 MB");
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
const gainCells = (g, from, way = side(g)) => [h("td", { class: way }, mm.number(signed(g.gain), from)), h("td", { class: "mm-faint" }, mm.number(`${signed(g.low)} to ${signed(g.high)}`, from))];

/* A line chart as SVG: a list of series with points [x, y] and perhaps a band [x, low, high] */
function chart(title, series, [xName, yName], unit, from) {
  const W = 420, H = 170, L = 60, R = 12, T = 12, B = 30;
  const points = series.flatMap((s) => [...s.points, ...(s.band || []).flatMap(([x, lo, hi]) => [[x, lo], [x, hi]])]);
  if (!points.length) return null;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (x0 === x1) { x0 -= 1; x1 += 1; }
  const room = (y1 - y0) * 0.1 || 1;
  y0 = Math.max(0, y0 - room); y1 = unit === " %" ? Math.min(100, y1 + room) : y1 + room;
  const X = (x) => L + ((x - x0) / (x1 - x0)) * (W - L - R), Y = (y) => H - B - ((y - y0) / (y1 - y0)) * (H - T - B);
  const digits = y1 - y0 >= 10 ? 0 : y1 - y0 >= 2 ? 1 : 2, tick = (v) => v.toFixed(digits);
  const marks = [0, 0.5, 1].map((t) => y0 + t * (y1 - y0)).flatMap((y) => [
    svg("line", { x1: L, x2: W - R, y1: Y(y), y2: Y(y), class: "grid" }),
    svg("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, tick(y))]);
  const bottom = [svg("text", { x: L, y: H - 8 }, String(Math.round(x0))), svg("text", { x: W - R, y: H - 8, "text-anchor": "end" }, String(Math.round(x1))),
    svg("text", { class: "axis", x: (L + W - R) / 2, y: H - 8, "text-anchor": "middle" }, xName),
    svg("text", { class: "axis", transform: `translate(14 ${(T + H - B) / 2}) rotate(-90)`, "text-anchor": "middle" }, yName)];
  const lines = series.flatMap((s, i) => [
    ...(s.band ? [svg("polygon", { class: `band s${i}`, points: [...s.band.map(([x, lo]) => `${X(x)},${Y(lo)}`), ...[...s.band].reverse().map(([x, , hi]) => `${X(x)},${Y(hi)}`)].join(" ") })] : []),
    svg("polyline", { class: `line s${i}`, points: s.points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" ") }),
    ...(s.dots ? s.points.map(([x, y]) => svg("circle", { class: `dot s${i}`, cx: X(x), cy: Y(y), r: 3 })) : [])]);
  const last = series[0].points.at(-1);
  return h("figure", { class: "mm-chart" }, h("figcaption", {}, `${title} `, last ? h("b", {}, mm.number(`${tick(last[1])}${unit}`, from)) : ""),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}, last ${last ? tick(last[1]) : "none"}` }, ...marks, ...bottom, ...lines));
}
function curves(s) {
  const of = (key) => s.progress.filter((p) => p[key] !== null && p[key] !== undefined).map((p) => [p.epoch, p[key]]);
  return [chart("Training loss", [{ points: of("loss") }], ["epochs", "loss"], "", source(s, "loss")),
    chart("Validation recall", [{ points: of("validation_recall") }], ["epochs", "mean recall, %"], " %", source(s, "validation")),
    chart("Validation likelihood of a token", [{ points: of("validation_likelihood") }], ["epochs", "likelihood, %"], " %", source(s, "validation", "likelihood"))].filter(Boolean);
}

// Before and after: of retrieval, of transcripts, of moments, of captions
const DIFFERENCE = ["before", "after", "gain", "95 % interval"];
function table(s) {
  const rows = [];
  for (const [key, name] of [["text_to_media", `text → ${mm.task.modality.noun}`], ["media_to_text", `${mm.task.modality.noun} → text`]]) {
    for (const k of ["R@1", "R@5", "R@10", "mAP"]) {
      const from = source(s, "retrieval", k);
      rows.push(row([k === "R@1" ? name : "", k, figure(s.before[key][k], from), figure(s.after[key][k], from), ...gainCells(s.gains[key][k], from)], { class: k === "R@1" ? "first" : "" }));
    }
    rows.push(row(["", "MedR", ...[s.before, s.after].map((one) => mm.number(String(one[key].MedR), source(s, "retrieval", "MedR"))), "", ""]));
  }
  return grid(["", "", ...DIFFERENCE], rows);
}
const measures = (title, { before, after, gains }, from) => grid([title, ...DIFFERENCE], Object.keys(gains).map((n) => row([n, figure(before[n], from(n)), figure(after[n], from(n)), ...gainCells(gains[n], from(n))])));
function transcripts(s) {
  if (!s.vocabulary?.length && !s.transcripts) return [];
  const t = s.transcripts;
  return [s.vocabulary?.length && h("p", { class: "mm-hint" }, `Words that transcripts now expect: ${s.vocabulary.slice(0, 20).join(", ")}${s.vocabulary.length > 20 ? " …" : ""}`),
    t ? grid([`errors in ${t.recordings} held-out transcripts`, "before", "after", "change", "95 % interval"], ["WER", "CER"].map((n) => {
      const from = source(s, "transcripts", n), fewer = t[n].change;
      return row([n === "WER" ? "words (WER), %" : "characters (CER), %", figure(t[n].before, from), figure(t[n].after, from), ...gainCells(fewer, from, fewer.high < 0 ? "up" : fewer.low > 0 ? "down" : "")]);
    }))
      : h("p", { class: "mm-hint" }, "Measuring what they do to held-out transcripts…")].filter(Boolean);
}
const moments = (s) => (s.moments ? [measures(`moments of ${s.moments.before.queries} held-out texts`, s.moments, (n) => source(s, "moments", n))] : []);
function captions(s) {
  const c = s.captions;
  if (!c) return [];
  return [measures(`captions of ${c.pictures} held-out pictures`, c, (n) => source(s, "captions", n)), h("p", { class: "mm-hint" }, `CLIPScore by ${c.aligner}.`),
    c.examples?.length ? h("div", {}, h("h4", {}, "Captions that changed"), h("div", { class: "mm-changes mm-written" }, c.examples.map((e) => h("figure", {}, mm.medium(e.item, e.after), h("figcaption", {}, h("span", { class: "mm-faint" }, e.before), h("span", { class: "mm-text" }, e.after), h("span", { class: "mm-faint" }, `labelled: ${e.wanted}`)))))) : ""];
}
function changes(list, from) {
  return ["better", "worse"].map((way) => (list[way].length ? h("div", {}, h("h4", {}, way === "better" ? "Found sooner" : "Found later"), h("div", { class: "mm-changes" }, list[way].map((c) => h("figure", {}, mm.medium(c.item, c.text, c), h("figcaption", {}, h("span", { class: "mm-text" }, c.text), h("span", { class: "mm-faint" }, "rank ", mm.number(`${c.before} → ${c.after}`, from))))))) : ""));
}
// What was measured, in one sentence; what it means is said by the gate
function measured(s) {
  const said = (what, g, on, from) => [`${what} `, mm.number(`${signed(g.gain)} points`, from), ` on ${on} (95 % interval `, mm.number(`${signed(g.low)} to ${signed(g.high)}`, from), s.gate?.attempt ? ")." : "). Such figures alone let luck through when several runs are looked at."];
  if (s.captions) return said("BLEU-4", s.captions.gains["BLEU-4"], `${s.captions.pictures} pictures it never saw`, source(s, "captions", "BLEU-4"));
  if (s.before?.note) return [s.before.note];
  if (!s.before?.pairs) return [];
  return said("Mean recall", s.gains.mean_recall, `${s.before.pairs} pairs it never saw`, source(s, "retrieval", "mean recall"));
}

// What the gate says, in numbers: the attempt, its level, and the smallest gain that was to be seen
function tested(s) {
  const g = s?.gate;
  if (!g || !g.items) return [];
  const share = (x) => mm.number(`${(100 * x).toPrecision(2)} %`, source(s, "gate"));
  return [h("p", { class: "mm-hint", "data-tested": true },
    g.attempt ? [`Attempt ${g.attempt} on ${g.items} held-out items: chance alone would do as well in `, share(g.p), " of cases, and ", share(g.alpha), " are allowed."] : `${g.items} held-out items; no attempt was spent.`,
    g.visible?.points ? [" With so many, a gain of ", mm.number(`${g.visible.points.toFixed(1)} points`, source(s, "visible")), " of mean recall is seen in 80 of 100 cases."] : "")];
}
const leftOut = (n) => (n ? [h("p", { class: "mm-note", "data-left-out": true }, n === 1 ? "1 pair was left out: its file is gone." : `${n} pairs were left out: their files are gone.`)] : []);
const accuracy = (s) => (s.accuracy ? [h("p", { class: "mm-hint" }, `The right class of ${s.accuracy.items} held-out items comes first for `, figure(s.accuracy.before, source(s, "accuracy", "accuracy")), " % before and ", figure(s.accuracy.after, source(s, "accuracy", "accuracy")), " % after.")] : []);

// What the views of the tab share: what is trained, the open view, errors
let captioner = false, open = "train";
const chosenTask = () => (captioner && mm.task.name === "image-text" ? "captioning" : mm.task.name);
const ask = (name, body = {}) => api(name, { task: chosenTask(), ...body });
const views = {};  // of each: what draws it
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const guard = (f) => async (e) => { error(""); try { await f(e); } catch (x) { error(x.message); } drawn = ""; poke(); views[open]?.(); };
const button = (text, f, more = {}) => h("button", { class: "mm-link", type: "button", onclick: guard(f), ...more }, text);
let drawn = "";
