// The Tune view: what it learns from, the run, old and new, promote or not; and which part is open
let run = null, data = null, known = { seconds: null }, freshly = false;  // the run shown; its data; what one would take; whether a new one is prepared though there is a result
const WAYS = (recipe) => ({ head: tr`its last step only: seconds, on any computer (head)`,
  lora: { captions: tr`small additions to what writes (LoRA)`, transcripts: tr`small additions to what hears (LoRA)` }[recipe] || tr`small additions to the whole of it (LoRA)`, full: tr`the whole of it: wants a graphics card (full)` });
const JOINED = { residual: () => tr`${noun()} and text apart, as quick search needs it (shared space)`, concatenation: () => tr`both together (concatenation)`, "cross-attention": () => tr`the text looks at parts of the ${noun()} (cross-attention)`, temporal: () => tr`moments in their order (temporal Transformer)` };
const LOSSES = { infonce: tr`not picked from many (InfoNCE)`, sigmoid: tr`wrong pair by pair (sigmoid, SigLIP)`, triplet: tr`further than the nearest wrong one (triplet)`, matching: tr`fits or not (binary matching)` };
const method = $("[name=method]"), heads = $("[name=head]"), form = $("[data-settings]");
const options = (select, of, words) => { const key = of.map((one) => words[one] || one).join() + chosenTask(); if (select.dataset.of === key) return; select.dataset.of = key; const at = select.value; select.replaceChildren(...of.map((one) => h("option", { value: one }, words[one] || one))); if (of.includes(at)) select.value = at; };
const goesOn = (s) => Boolean(s) && ["running", "queued"].includes(s.status);
const finished = (s) => Boolean(s && !goesOn(s) && (s.gains || s.captions));

function drawRun(s) {
  const on = goesOn(s), result = finished(s) && !freshly;
  $("[data-result]").hidden = !result;
  $("[data-asked]").hidden = result;
  $("[data-stop]").hidden = !on;
  $("[data-queue]").hidden = !on;
  if (data) drawAsked(s, on);
  keep($("[data-curves]"), on ? [s.run, s.progress] : [], () => (on ? curves(s, s.epochs) : []));
  const stamp = JSON.stringify([s.run, s.status, s.decision, s.active, s.model, !!s.curve, s.no_curve, !!s.transcripts, freshly]);
  if (stamp === drawn) return;
  drawn = stamp;
  refreshData();
  if (result) drawResult(s);
}
function drawAsked(s, on) {
  const first = drawFirst(data) && !on, start = $("[data-start]");
  drawSteps(data, s || {}, on);
  drawFacts(data, first);
  if (s) drawLive(s, on);
  drawOutlook(data);
  const why = !data.methods.length ? "" : data.missing.length ? tr`It needs more answers first.` : "";
  start.disabled = on || !data.methods.length || data.missing.length > 0;
  start.textContent = on ? tr`Tuning…` : tr`Fine-tune`;
  $("[data-start-of]").textContent = why || tr`Everyone keeps using the old model until someone promotes the new one.`;
}
function drawResult(s) {
  const ofTrust = h("section", {}), ofVersions = h("section", {}), part = (nodes) => (nodes.filter(Boolean).length ? h("section", {}, nodes) : "");
  const same = chosenTask() === "captioning" ? writtenNow(s) : sameQuestion({ changes: s.changes, old: s.parent, now: s.model, from: source(s, "retrieval", "rank") });
  $("[data-result]").replaceChildren(
    shown ? h("div", { class: "mm-row" }, h("span", { class: "mm-small" }, `${s.run}, ${s.method}`), button(tr`the latest run`, () => { shown = ""; remember(); })) : "",
    verdict(s),
    s.message ? h("p", { class: "mm-tell plain" }, s.message) : "",
    h("div", { class: "mm-body" },
      h("div", {}, h("div", { "data-changes": true }, part(same)), h("div", { "data-numbers": true }, part(allNumbers(s))), h("div", { "data-worth": true }, part(worth(s)))),
      h("aside", {}, ofTrust, ofVersions)));
  if (["stopped", "failed"].includes(s.status)) $("[data-result] .mm-verdict .mm-row").append(press(tr`Go on from where it was`, () => api("resume_training", { run: s.run }), { class: "mm-button mm-plainly", "data-resume": true }));
  trust(s, ofTrust);
  line(s, ofVersions);
}
// Whether its percent is what it says, beside the old one's.
async function trust(s, box) {
  if (!s.model || chosenTask() === "captioning") return;
  const [now, old] = await Promise.all([s.model, s.parent].map((version) => api("version_card", { version }).catch(() => null)));
  if (!now?.reliability?.diagrams.length) return;
  const diagram = now.reliability.diagrams[0], before = old?.reliability?.diagrams[0];
  box.append(h("h2", {}, tr`Can you trust its percent?`), mm.reliability({ ...diagram, facts: [] }, before), h("details", { class: "mm-more" }, h("summary", {}, tr`How this was measured`), mm.facts(diagram.facts)));
}
// The versions from the first to this one, and which answers.
async function line(s, box) {
  const { versions } = await ask("version_tree").catch(() => ({ versions: [] }));
  if (!versions.length) return;
  const gain = (v) => (v.after === null || v.after === undefined ? "" : [", ", mm.number(signed(v.after - v.before), { task: chosenTask(), version: v.id, kind: v.score === "BLEU-4" ? "captions" : "retrieval", of: v.score }), v.certain ? "" : tr`, not certain`]);
  const of = (v) => (v.method ? [mm.many(v.learned_from, "answer"), ...gain(v)] : [tr`as it came`]);
  box.append(h("h2", {}, tr`Versions`), h("ul", { class: "mm-line-of" }, versions.map((v) => h("li", { class: v.active ? "use" : "" }, h("span", { class: "mm-o" }), h("span", {}, h("b", {}, v.id), h("span", { class: "mm-fine" }, ...of(v))),
    v.active ? h("span", { class: "mm-tag acc" }, tr`in use`) : v.id === s.model ? h("span", { class: "mm-tag" }, tr`this run`) : ""))),
    h("p", {}, button(tr`All versions`, () => show("versions"))));
}

// Why nothing is heard of the run.
function lost(words) { const box = $("[data-lost]"); box.hidden = !words; if (box.textContent !== words) box.textContent = words; }

let estimating = 0;
function estimate() {
  clearTimeout(estimating);
  estimating = setTimeout(() => ask("estimate_training", values()).then((e) => { known = e; $("[data-estimate]").textContent = e.sentence; if (data) drawAsked(run, goesOn(run)); }).catch((e) => { $("[data-estimate]").textContent = e.message; }), 400);
}
const values = () => Object.fromEntries([...new FormData(form), ...["alone", "recompute", "deterministic"].map((name) => [name, form.elements[name].checked])]);
async function refreshData() {
  const of = chosenTask(), d = await (data ? ask("training_data") : mm.awaited($("[data-data]"), { doing: tr`Reading the answers` }, () => ask("training_data"))).catch(() => null);
  if (!d || of !== chosenTask()) return;
  data = d;
  const learns = d.methods.length > 0;
  $("[data-none]").hidden = learns;
  form.hidden = !learns;
  options(method, d.methods, WAYS(d.recipe));
  options(heads, d.heads.map((one) => one.name), Object.fromEntries(d.heads.map((one) => [one.name, JOINED[one.name]?.() || one.about])));
  options($("[name=loss]"), d.losses, LOSSES);
  const byHead = method.value === "head", pairs = !byHead && d.recipe === "pairs";
  $("[data-head]").hidden = !byHead || d.heads.length < 2;
  $("[data-alone]").hidden = !byHead || !d.heads.find((one) => one.name === heads.value)?.fuses;
  for (const [key, hidden] of [["network", byHead], ["pairs", !byHead && !pairs], ["dropout", !byHead]]) for (const label of element.querySelectorAll(`[data-if~=${key}]`)) label.hidden = hidden;
  const changed = [...form.querySelectorAll("input, select")].some((one) => (one.type === "checkbox" ? one.checked : one.tagName === "SELECT" ? one.selectedIndex > 0 : one.value !== ""));
  $("[data-set]").textContent = changed ? tr`changed` : tr`automatic`;
  drawAsked(run, goesOn(run));
  if (learns && !d.missing.length) estimate(); else { clearTimeout(estimating); known = { seconds: null }; $("[data-estimate]").textContent = ""; }
}

function show(name) {
  open = views[name] ? name : "train";
  for (const b of element.querySelectorAll("[data-part]")) b.setAttribute("aria-selected", b.dataset.part === open);
  for (const p of element.querySelectorAll("[data-panel]")) p.hidden = p.dataset.panel !== open;
  $("[data-learns]").hidden = mm.task.name !== "image-text";
  error("");
  remember();
  drawPart();
}
const drawPart = async () => { try { await views[open](); } catch (e) { error(e.message); } };
views.train = () => { refreshData(); poke(); };
for (const b of element.querySelectorAll("[data-part]")) b.onclick = () => show(b.dataset.part);
function forget() { drawn = ""; shown = ""; run = data = null; freshly = false; known = { seconds: null }; }
for (const b of element.querySelectorAll("[data-learner]")) b.onclick = () => { captioner = b.dataset.learner === "captioner"; drawLearner(); forget(); show(open); };
function drawLearner() { for (const b of element.querySelectorAll("[data-learner]")) b.setAttribute("aria-selected", (b.dataset.learner === "captioner") === captioner); }

form.onchange = () => { freshly ||= goesOn(run); refreshData(); };  // who prepares the next run is not led to the result of this one
form.onsubmit = (e) => e.preventDefault();
async function start() {
  const before = goesOn(run) ? run.run : "";
  const { run: id } = await ask("start_training", { ...values(), promote: "ask" });
  freshly = false;
  shown = before;
  remember();
  if (before) toast(tr`${id} waits for the run before it.`);
}
$("[data-start]").onclick = guard(start);
$("[data-queue]").onclick = guard(start);
$("[data-stop]").onclick = guard(async () => { await api("stop_training", { run: run.run }); toast(tr`It stops at its next step; what it has learned is kept.`); });
$("[data-label-more]").onclick = $("[data-begin]").onclick = () => mm.openTab("Label");
$("[data-bring]").onclick = () => mm.openTab("Data");
$("[data-choose]").onclick = () => show("models");
$("[data-tasks]").append(mm.task.chooser(() => { forget(); show(open); }));
api("warm_up").catch(() => {});
const remember = mm.address.keep("fine-tune", element, {
  state: () => ({ part: open === "train" ? "" : open, learns: captioner ? "captioner" : "", run: open === "train" ? shown : "",
    ...(open === "versions" && { ...looked, split: looked.compared && $("[data-split]").selectedIndex ? $("[data-split]").value : "" }) }),
  async restore(link) {
    captioner = link.learns === "captioner";
    const all = link.run && (await ask("runs").catch(() => null));
    shown = !all || all.runs.some((r) => r.run === link.run) ? link.run || "" : "";
    if (link.run && !shown) mm.address.gone(tr`The run ${link.run} of this link is not here any more`, tr`the latest one is shown instead`);
    drawLearner();
    show(link.part || "train");
    if (open === "versions") { seenTask = chosenTask(); await look(link).catch((e) => error(e.message)); }
  },
});
poll(element, 4000, async () => {
  if (open === "runs") return { runs: await views.runs() };
  if (open === "models") return { device: await api("device") };
  return open === "train" ? { ...await ask("training", { run: shown }), of: chosenTask() } : {};
}, (s, e) => {
  if (e) { lost(e.told ? e.message : tr`No connection. A run goes on without this page; trying again…`); return Math.max(2000, (e.after_s || 0) * 1000); }
  lost("");
  if ("runs" in s) return s.runs ? 1000 : 4000;
  if (s.device) { $("[data-device]").textContent = device(s.device); return 2000; }
  if (!s.status || s.of !== chosenTask()) return 4000;
  drawRun((run = s));
  return goesOn(s) ? 500 : s.status === "done" && ((!s.curve && !s.no_curve && s.method === "head") || (s.vocabulary?.length && !s.transcripts)) ? 1500 : 4000;
});
let active = "";
addEventListener("mm-status", (e) => { if (element.offsetParent !== null && e.detail.version !== active) { active = e.detail.version; drawPart(); } });
mm.sayForWhom();
