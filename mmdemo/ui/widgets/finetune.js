const { h, api, thumb, poll, poke, seconds, svg, toast } = mm;
const $ = (selector) => element.querySelector(selector);
let run = null, drawn = "";

/* A line chart as SVG: a list of series with points [x, y] and perhaps a band [x, low, high] */
function chart(title, series, xName, unit = "") {
  const W = 420, H = 170, L = 44, R = 12, T = 12, B = 30;
  const points = series.flatMap((s) => [...s.points, ...(s.band || []).flatMap(([x, lo, hi]) => [[x, lo], [x, hi]])]);
  if (!points.length) return null;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  let [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (x0 === x1) { x0 -= 1; x1 += 1; }
  const room = (y1 - y0) * 0.1 || 1;
  y0 = Math.max(0, y0 - room); y1 += room;
  const X = (x) => L + ((x - x0) / (x1 - x0)) * (W - L - R), Y = (y) => H - B - ((y - y0) / (y1 - y0)) * (H - T - B);
  const tick = (v) => (Math.abs(v) >= 10 ? v.toFixed(0) : v.toFixed(v < 1 ? 2 : 1));
  const marks = [0, 0.5, 1].map((t) => y0 + t * (y1 - y0)).flatMap((y) => [
    svg("line", { x1: L, x2: W - R, y1: Y(y), y2: Y(y), class: "grid" }),
    svg("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, tick(y))]);
  const bottom = [svg("text", { x: L, y: H - 8 }, String(Math.round(x0))), svg("text", { x: W - R, y: H - 8, "text-anchor": "end" }, `${Math.round(x1)} ${xName}`)];
  const lines = series.flatMap((s, i) => [
    ...(s.band ? [svg("polygon", { class: `band s${i}`, points: [...s.band.map(([x, lo]) => `${X(x)},${Y(lo)}`), ...[...s.band].reverse().map(([x, , hi]) => `${X(x)},${Y(hi)}`)].join(" ") })] : []),
    svg("polyline", { class: `line s${i}`, points: s.points.map(([x, y]) => `${X(x)},${Y(y)}`).join(" ") }),
    ...(s.dots ? s.points.map(([x, y]) => svg("circle", { class: `dot s${i}`, cx: X(x), cy: Y(y), r: 3 })) : [])]);
  const last = series[0].points.at(-1);
  return h("figure", { class: "mm-chart" }, h("figcaption", {}, title, last ? h("b", {}, ` ${tick(last[1])}${unit}`) : ""),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}, last ${last ? tick(last[1]) : "none"}` }, ...marks, ...bottom, ...lines));
}

const signed = (v) => `${v > 0 ? "+" : ""}${v.toFixed(1)}`;
function table(s) {
  const rows = [];
  for (const [side, name] of [["text_to_media", `text → ${mm.task.words.one}`], ["media_to_text", `${mm.task.words.one} → text`]]) {
    for (const k of ["R@1", "R@5", "R@10", "mAP"]) {
      const g = s.gains[side][k];
      rows.push(h("tr", { class: k === "R@1" ? "first" : "" }, h("td", {}, k === "R@1" ? name : ""), h("td", {}, k), h("td", {}, s.before[side][k].toFixed(1)), h("td", {}, s.after[side][k].toFixed(1)),
        h("td", { class: g.low > 0 ? "up" : g.high < 0 ? "down" : "" }, signed(g.gain)), h("td", { class: "mm-faint" }, `${signed(g.low)} to ${signed(g.high)}`)));
    }
    rows.push(h("tr", {}, h("td"), h("td", {}, "MedR"), h("td", {}, String(s.before[side].MedR)), h("td", {}, String(s.after[side].MedR)), h("td"), h("td")));
  }
  return h("table", { class: "mm-table" }, h("thead", {}, h("tr", {}, ["", "", "before", "after", "gain", "95 % interval"].map((t) => h("th", {}, t)))), h("tbody", {}, rows));
}
// Of a speech model: the words it was taught, and what they do to transcripts
function transcripts(s) {
  if (!s.vocabulary?.length && !s.transcripts) return [];
  const t = s.transcripts;
  return [s.vocabulary?.length && h("p", { class: "mm-hint" }, `Words that transcripts now expect: ${s.vocabulary.slice(0, 20).join(", ")}${s.vocabulary.length > 20 ? " …" : ""}`),
    t ? h("table", { class: "mm-table" }, h("thead", {}, h("tr", {}, [`errors in ${t.recordings} held-out transcripts`, "before", "after", "change", "95 % interval"].map((n) => h("th", {}, n)))),
      h("tbody", {}, ["WER", "CER"].map((n) => h("tr", {}, h("td", {}, n === "WER" ? "words (WER), %" : "characters (CER), %"), h("td", {}, t[n].before.toFixed(1)), h("td", {}, t[n].after.toFixed(1)),
        h("td", { class: t[n].change.high < 0 ? "up" : t[n].change.low > 0 ? "down" : "" }, signed(t[n].change.gain)), h("td", { class: "mm-faint" }, `${signed(t[n].change.low)} to ${signed(t[n].change.high)}`)))))
      : h("p", { class: "mm-hint" }, "Measuring what they do to held-out transcripts…")].filter(Boolean);
}
// Of a video model: how well the first moment found lies on the labelled span
function moments(s) {
  if (!s.moments) return [];
  const { before, after, gains } = s.moments;
  return [h("table", { class: "mm-table" }, h("thead", {}, h("tr", {}, [`moments of ${before.queries} held-out texts`, "before", "after", "gain", "95 % interval"].map((n) => h("th", {}, n)))),
    h("tbody", {}, Object.keys(gains).map((n) => h("tr", {}, h("td", {}, n), h("td", {}, before[n].toFixed(1)), h("td", {}, after[n].toFixed(1)),
      h("td", { class: gains[n].low > 0 ? "up" : gains[n].high < 0 ? "down" : "" }, signed(gains[n].gain)), h("td", { class: "mm-faint" }, `${signed(gains[n].low)} to ${signed(gains[n].high)}`)))))];
}
function verdict(s) {
  const m = s.gains.mean_recall, n = s.before.pairs;
  if (!n) return "There are no held-out matches, so nothing could be measured.";
  const span = `${signed(m.low)} to ${signed(m.high)}`;
  if (m.low > 0) return `Better: mean recall ${signed(m.gain)} points on ${n} pairs it never saw (95 % interval ${span}).`;
  if (m.high < 0) return `Worse: mean recall ${signed(m.gain)} points on ${n} pairs it never saw (${span}). Keep the old one.`;
  return `Not certain: mean recall ${signed(m.gain)} points on ${n} pairs it never saw (${span}). More labels would tell.`;
}
const guard = (f) => async () => { try { await f(); } catch (e) { error(e.message); } drawn = ""; poke(); refreshData(); };
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }

function drawRun(s) {
  const on = s.status === "running" || s.status === "queued";
  $("[data-start]").disabled = on;
  $("[data-stop]").disabled = !on;
  if (s.status === "none") { for (const box of ["run", "curves", "result", "worth", "changes"]) $(`[data-${box}]`).replaceChildren(); $("[data-run]").append(h("p", { class: "mm-empty" }, "No run yet. Label some pairs, then press Fine-tune.")); drawn = ""; return; }
  const head = h("div", { class: "mm-runline" }, h("strong", {}, s.run), h("span", { class: `mm-pill ${s.status}` }, s.status),
    on && h("span", {}, s.epochs ? `epoch ${s.epoch} of ${s.epochs} · ${seconds(s.eta_s || 0)} left` : "starting…"),
    !on && s.seconds && h("span", { class: "mm-faint" }, `${s.seconds.toFixed(1)} s · seed ${s.settings?.seed ?? 0}`));
  const bar = on && h("div", { class: "mm-bar" }, h("i", { style: `width:${s.epochs ? (100 * s.epoch) / s.epochs : 2}%` }));
  $("[data-run]").replaceChildren(...[head, bar, s.message && h("p", { class: s.status === "failed" ? "mm-error" : "mm-note" }, s.message)].filter(Boolean));
  $("[data-curves]").replaceChildren(...[
    chart("Training loss", [{ points: s.progress.map((p) => [p.epoch, p.loss]) }], "epochs"),
    chart("Held-out mean recall", [{ points: s.progress.filter((p) => p.recall !== null).map((p) => [p.epoch, p.recall]) }], "epochs", " %")].filter(Boolean));
  const stamp = JSON.stringify([s.run, s.status, s.decision, s.model, !!s.curve, !!s.transcripts]);
  if (stamp === drawn) return;
  drawn = stamp;
  refreshData();
  const result = $("[data-result]");
  if (!s.gains) { result.replaceChildren(); $("[data-worth]").replaceChildren(); return $("[data-changes]").replaceChildren(); }
  const decided = { promoted: "Promoted: this version answers everywhere now.", "kept-old": "The old version was kept." }[s.decision];
  result.replaceChildren(h("p", { class: "mm-verdict" }, verdict(s)),
    h("div", { class: "mm-row" },
      h("button", { class: "mm-button primary", type: "button", "data-promote": true, disabled: s.decision === "promoted", onclick: guard(() => api("decide", { run: s.run, promote: true })) }, "Promote"),
      h("button", { class: "mm-button", type: "button", "data-keep": true, disabled: s.decision === "kept-old", onclick: guard(() => api("decide", { run: s.run, promote: false })) }, "Keep the old one"),
      decided && h("span", { class: "mm-hint", role: "status" }, decided)),
    s.before.pairs ? table(s) : "", ...moments(s), ...transcripts(s));
  $("[data-worth]").replaceChildren(...(s.curve ? [
    chart("What labels are worth: held-out mean recall", [{ dots: true, points: s.curve.points.map((p) => [p.labels, p.recall]), band: s.curve.points.map((p) => [p.labels, p.low, p.high]) }], "labels", " %"),
    h("p", { class: "mm-note" }, s.curve.advice)] : s.status === "done" && s.method === "head" && s.before.pairs > 1 ? [h("p", { class: "mm-hint" }, "Measuring what more labels would bring…")] : []));
  const list = (title, rows) => rows.length ? h("div", {}, h("h4", {}, title), h("div", { class: "mm-changes" }, rows.map((c) => h("figure", {}, mm.medium(c.item, c.text, c), h("figcaption", {}, h("span", { class: "mm-text" }, c.text), h("span", { class: "mm-faint" }, `rank ${c.before} → ${c.after}`)))))) : "";
  $("[data-changes]").replaceChildren(list("Found sooner", s.changes.better), list("Found later", s.changes.worse));
}
async function refreshData() {
  const d = await api("training_data", { task: mm.task.name }).catch(() => null);
  if (!d) return;
  const c = d.counts;
  $("[data-data]").replaceChildren(h("table", { class: "mm-table" }, h("thead", {}, h("tr", {}, ["", "match", "mismatch"].map((t) => h("th", {}, t)))), h("tbody", {},
    h("tr", {}, h("td", {}, "to train on"), h("td", {}, String(d.train.match)), h("td", {}, String(d.train.mismatch))),
    h("tr", {}, h("td", {}, "held out, to measure"), h("td", {}, String(d.held_out.match)), h("td", {}, String(d.held_out.mismatch))))),
    h("p", { class: "mm-faint" }, `${c.unsure} unsure${d.aside ? `, and ${d.aside} across the split` : ""}: not used`),
    ...d.missing.map((m) => h("p", { class: "mm-error" }, m)), ...d.warnings.map((m) => h("p", { class: "mm-note" }, m)));
  $("[data-versions]").replaceChildren(h("ul", { class: "mm-versions" }, d.versions.map((v) => h("li", {}, h("span", { class: v.active ? "mm-dot good" : "mm-dot" }, v.id), v.active ? h("b", {}, "active") :
    h("button", { class: "mm-link", type: "button", onclick: guard(() => api("activate", { version: v.id })) }, "activate"), h("span", { class: "mm-faint" }, v.parent ? `from ${v.parent}` : "base"),
    h("button", { class: "mm-link", type: "button", title: "Its weights, card and description as a zip", onclick: guard(async () => { toast("Packing…"); const r = await api("export_version", { version: v.id }); h("a", { href: r.address, download: "" }).click(); }) }, "export")))));
  const METHODS = { head: "head on cached features", lora: mm.task.name === "speech-text" ? "LoRA on the recogniser, from corrected texts" : "LoRA on both encoders", full: "full: both encoders" }, method = $("[name=method]");
  const offers = `${mm.task.name} ${d.methods.join()}`;
  if (method.dataset.of !== offers) { method.dataset.of = offers; method.replaceChildren(...d.methods.map((m) => h("option", { value: m }, METHODS[m]))); }
  const HEADS = { residual: "residual: one vector in, one out", temporal: "temporal Transformer over a span's frames" }, heads = $("[name=head]");
  if (heads.dataset.of !== d.heads.join()) { heads.dataset.of = d.heads.join(); heads.replaceChildren(...d.heads.map((one) => h("option", { value: one }, HEADS[one]))); }
  $("[data-head]").hidden = d.heads.length < 2;
  for (const label of element.querySelectorAll("[data-network]")) label.hidden = !["lora", "full"].includes(method.value) || mm.task.name === "speech-text";
  method.onchange = refreshData;
  $("[data-rollback]").disabled = !d.versions.some((v) => v.active && v.parent);
}

// Base models: what there is, what it needs, and taking one
const box = $("[data-models]"), choice = box.querySelector("[name=model]"), hand = box.querySelector("[name=by_hand]");
let offered = [];
const mb = (n) => (n >= 1000 ? `${(n / 1000).toFixed(1)} GB` : `${n} MB`);
async function drawModels() {
  const m = await api("models", { task: mm.task.name }).catch((e) => { error(e.message); return null; });
  if (!m) return;
  offered = m.models;
  const at = choice.value;
  choice.replaceChildren(...offered.map((p) => h("option", { value: p.id }, `${p.id}${p.at_hand ? "" : " ↓"}`)));
  if (offered.some((p) => p.id === at)) choice.value = at;
  hand.placeholder = m.by_hand.map((l) => `${l}:NAME_OR_FOLDER`)[0];
  hand.title = m.by_hand.map((l) => `${l}:NAME`).join(", ");
  const d = m.device;
  $("[data-device]").textContent = `${d.name} · ${d.format} · ${mb(d.used_mb)} of ${mb(d.total_mb)} used${d.busy === null ? "" : ` · ${Math.round(d.busy)} % busy`}`;
  tell();
}
function tell() {
  const p = offered.find((o) => o.id === choice.value);
  if (p) $("[data-about]").textContent = `${p.about} ${p.licence}${p.size_mb ? ` · ${mb(p.size_mb)}${p.at_hand ? "" : " to download"}` : ""} · ${p.methods.join(", ")}`;
}
choice.onchange = tell;
box.ontoggle = () => { if (box.open) drawModels(); };
box.querySelector("form").onsubmit = async (e) => {
  e.preventDefault();
  error("");
  const name = hand.value.trim() || choice.value, line = $("[data-loading]"), button = box.querySelector("[type=submit]");
  button.disabled = true;
  line.textContent = `Loading ${name}…`;
  try { await api("choose_model", { task: mm.task.name, model: name }); line.textContent = `${name} is active.`; mm.poke?.(); } catch (x) { line.textContent = ""; error(x.message); }
  button.disabled = false;
  refreshData(); drawModels();
};

$("[data-start]").onclick = async () => {
  error("");
  $("[data-start]").disabled = true;
  const values = Object.fromEntries(new FormData($("[data-settings]")));
  try { await api("start_training", { ...values, task: mm.task.name }); drawn = ""; } catch (e) { error(e.message); $("[data-start]").disabled = false; }
  poke();
};
$("[data-stop]").onclick = guard(async () => { await api("stop_training", { run: run.run }); toast("It stops at its next step; what it has learned is kept."); });
$("[data-rollback]").onclick = guard(async () => { const r = await api("roll_back", { task: mm.task.name }); toast(`${r.version} is active again.`); });
element.querySelector(".mm-grid").before(mm.task.chooser(() => { drawn = ""; refreshData(); if (box.open) drawModels(); }));
api("warm_up").catch(() => {});
refreshData();
poll(element, 4000, () => api("training", { task: mm.task.name }), (s, e) => {
  if (e) { $("[data-run]").replaceChildren(h("p", { class: "mm-note" }, "No connection. The run goes on without this page; trying again…")); return 2000; }
  drawRun((run = s));
  return ["running", "queued"].includes(s.status) ? 500 : s.status === "done" && ((!s.curve && s.method === "head") || (s.vocabulary?.length && !s.transcripts)) ? 1500 : 4000;
});
addEventListener("mm-status", () => { if (element.offsetParent !== null) refreshData(); });
