// The Train view: what it will train on, the run, before and after, promote or not; and which view is open
let run = null;
const LORA = { captions: "LoRA on the captioner", transcripts: "LoRA on the network that hears" }, FULL = { captions: "full: the whole captioner" };
const WAYS = (recipe) => ({ head: "head, on cached features", lora: LORA[recipe] || "LoRA on both encoders", full: FULL[recipe] || "full: the whole network" });
const LOSSES = { infonce: "InfoNCE", sigmoid: "pairwise sigmoid (SigLIP)", triplet: "triplet, hard negatives", matching: "binary matching" };
const method = $("[name=method]"), heads = $("[name=head]"), form = $("[data-settings]");
const options = (select, of, words) => { const key = of.map((one) => words[one] || one).join() + chosenTask(); if (select.dataset.of === key) return; select.dataset.of = key; const at = select.value; select.replaceChildren(...of.map((one) => h("option", { value: one }, words[one] || one))); if (of.includes(at)) select.value = at; };

function drawRun(s) {
  const on = s.status === "running" || s.status === "queued";
  $("[data-stop]").disabled = !on;
  if (s.status === "none") { for (const box of ["run", "curves", "result", "worth", "changes"]) $(`[data-${box}]`).replaceChildren(); $("[data-run]").append(h("p", { class: "mm-empty" }, "No run yet. Label some pairs, then press Fine-tune.")); drawn = $("[data-curves]").dataset.stamp = ""; return; }
  const left = `${seconds(s.eta_s || 0)} left`, share = s.steps ? s.step / s.steps : s.epochs ? s.epoch / s.epochs : 0.02;
  const waits = s.status === "queued" && !s.epochs ? "it waits for the worker" : s.step && s.step === s.steps ? "measuring what it learned" : s.steps ? `${s.epochs ? `epoch ${s.epoch} of ${s.epochs} · ` : ""}step ${s.step} of ${s.steps} · ${left}` : s.epochs ? `epoch ${s.epoch} of ${s.epochs} · ${left}` : "starting…";
  const head = h("div", { class: "mm-runline" }, h("strong", {}, s.run), h("span", { class: `mm-pill ${s.status}` }, s.status),
    on && h("span", {}, waits), !on && s.seconds && h("span", { class: "mm-faint" }, `${s.seconds.toFixed(1)} s · seed ${s.settings?.seed ?? 0}`),
    s.queued ? button(`${s.queued} more waiting`, () => show("runs")) : null, shown ? button("the latest run", () => { shown = ""; remember(); }) : null);
  const bar = on && h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` }));
  const goOn = ["stopped", "failed"].includes(s.status) && h("div", { class: "mm-row" }, h("button", { class: "mm-button", type: "button", "data-resume": true, onclick: guard(() => api("resume_training", { run: s.run })) }, "Go on from its last check-point"));
  $("[data-run]").replaceChildren(...[head, bar, s.message && h("p", { class: s.status === "failed" ? "mm-error" : "mm-note" }, s.message), goOn].filter(Boolean));
  const drawnCurves = JSON.stringify([s.run, s.progress]);
  if ($("[data-curves]").dataset.stamp !== drawnCurves) { $("[data-curves]").dataset.stamp = drawnCurves; $("[data-curves]").replaceChildren(...curves(s)); }  // else what is drawn stays, and with it the focus
  const stamp = JSON.stringify([s.run, s.status, s.decision, s.active, s.model, !!s.curve, s.no_curve, !!s.transcripts]);
  if (stamp === drawn) return;
  drawn = stamp;
  refreshData();
  const result = $("[data-result]");
  if (!s.gains && !s.captions) { result.replaceChildren(); $("[data-worth]").replaceChildren(); return $("[data-changes]").replaceChildren(); }
  const decided = { promoted: s.active ? "Promoted: this version answers everywhere now." : "It was promoted; another version answers now.", "kept-old": "The old version was kept.", candidate: "It stays a candidate: the old version answers." }[s.decision];
  result.replaceChildren(h("p", { class: "mm-verdict" }, s.gate ? h("b", {}, mm.readings(s.gate.sentence, source(s, "gate"))) : "", " ", measured(s)),
    h("div", { class: "mm-row" },
      h("button", { class: `mm-button${s.gate?.certain ? " primary" : ""}`, type: "button", "data-promote": true, disabled: s.decision === "promoted" && s.active, onclick: guard(() => api("decide", { run: s.run, promote: true })) }, "Promote"),
      h("button", { class: "mm-button", type: "button", "data-keep": true, disabled: s.decision === "kept-old", onclick: guard(() => api("decide", { run: s.run, promote: false })) }, "Keep the old one"),
      decided && h("span", { class: "mm-hint", role: "status" }, decided)),
    ...leftOut(s.trained_on?.left_out), ...tested(s), ...accuracy(s), ...[s.before?.pairs && !s.before.note && table(s), ...moments(s), ...transcripts(s), ...captions(s)].filter(Boolean));
  $("[data-worth]").replaceChildren(...(s.curve ? [
    chart("What labels are worth: validation recall", [{ dots: true, points: s.curve.points.map((p) => [p.labels, p.recall]), band: s.curve.points.map((p) => [p.labels, p.low, p.high]) }], ["labels to train on", "mean recall, %"], " %", source(s, "worth")),
    h("p", { class: "mm-note" }, mm.readings(s.curve.advice, source(s, "worth")))] : s.no_curve ? [h("p", { class: "mm-hint" }, s.no_curve)] : s.status === "done" && s.method === "head" ? [h("p", { class: "mm-hint" }, "Measuring what more labels would bring…")] : []));
  $("[data-changes]").replaceChildren(...(s.changes ? changes(s.changes, source(s, "retrieval", "rank")) : []));
}

let estimating = 0;
function estimate() {
  clearTimeout(estimating);
  estimating = setTimeout(() => ask("estimate_training", values()).then((e) => { $("[data-estimate]").textContent = e.sentence; }).catch((e) => { $("[data-estimate]").textContent = e.message; }), 400);
}
const values = () => Object.fromEntries([...new FormData(form), ...["alone", "recompute", "deterministic"].map((name) => [name, form.elements[name].checked])]);
async function refreshData() {
  const d = await ask("training_data").catch(() => null);
  if (!d) return;
  const c = d.counts, learns = d.methods.length > 0;
  $("[data-data]").replaceChildren(grid(["", "match", "mismatch"], [
    row(["to train on", String(d.train.match), String(d.train.mismatch)]), row(["validation, to watch it by", String(d.validation.match), String(d.validation.mismatch)]), row(["held out, to measure", String(d.held_out.match), String(d.held_out.mismatch)])]),
    h("p", { class: "mm-faint" }, `${mm.kinds.filter((kind) => kind.training === "none").map((kind) => `${c[kind.name]} ${kind.name}`).join(", ")}${d.aside ? `, and ${d.aside} across the split` : ""}: not used`),
    ...d.missing.map((m) => h("p", { class: "mm-note" }, m)), ...d.warnings.map((m) => h("p", { class: "mm-note" }, m)));
  $("[data-active]").replaceChildren(h("span", { class: "mm-dot good" }, d.active), d.parent ? h("span", { class: "mm-faint" }, `from ${d.parent}`) : h("span", { class: "mm-faint" }, "base"));
  const outlook = learns && !d.missing.length ? d.gate.sentence : "";
  if ($("[data-outlook]").textContent !== outlook) $("[data-outlook]").replaceChildren(...mm.readings(outlook, { kind: "visible", task: chosenTask() }));
  $("[data-none]").hidden = learns;
  form.hidden = !learns;
  $("[data-start]").disabled = !learns;
  options(method, d.methods, WAYS(d.recipe));
  options(heads, d.heads.map((one) => one.name), Object.fromEntries(d.heads.map((one) => [one.name, one.about])));
  options($("[name=loss]"), d.losses, LOSSES);
  const byHead = method.value === "head", pairs = !byHead && d.recipe === "pairs";
  $("[data-head]").hidden = !byHead || d.heads.length < 2;
  $("[data-alone]").hidden = !byHead || !d.heads.find((one) => one.name === heads.value)?.fuses;
  for (const [key, hidden] of [["network", byHead], ["pairs", !byHead && !pairs], ["dropout", !byHead]]) for (const label of element.querySelectorAll(`[data-if~=${key}]`)) label.hidden = hidden;
  $("[data-rollback]").disabled = !d.parent;
  if (learns && !d.missing.length) estimate(); else { clearTimeout(estimating); $("[data-estimate]").textContent = ""; }
}

function show(name) {
  open = views[name] ? name : "train";
  for (const b of element.querySelectorAll("[data-part]")) b.setAttribute("aria-selected", b.dataset.part === open);
  for (const p of element.querySelectorAll("[data-panel]")) p.hidden = p.dataset.panel !== open;
  $("[data-learns]").hidden = mm.task.name !== "image-text";
  error("");
  remember();
  views[open]();
}
views.train = () => { refreshData(); poke(); };
for (const b of element.querySelectorAll("[data-part]")) b.onclick = () => show(b.dataset.part);
for (const b of element.querySelectorAll("[data-learner]")) b.onclick = () => { captioner = b.dataset.learner === "captioner"; drawLearner(); drawn = ""; show(open); };
function drawLearner() { for (const b of element.querySelectorAll("[data-learner]")) b.setAttribute("aria-selected", (b.dataset.learner === "captioner") === captioner); }

form.onchange = refreshData;
form.onsubmit = (e) => e.preventDefault();
$("[data-start]").onclick = guard(async () => { shown = ""; remember(); const { run: id } = await ask("start_training", { ...values(), promote: "ask" }); if (run && ["running", "queued"].includes(run.status)) { toast(`${id} waits for the run before it.`); shown = run.run; } });
$("[data-stop]").onclick = guard(async () => { await api("stop_training", { run: run.run }); toast("It stops at its next step; what it has learned is kept."); });
$("[data-rollback]").onclick = guard(async () => { const r = await ask("roll_back"); toast(`${r.version} is active again.`); });
$("[data-tasks]").append(mm.task.chooser(() => { drawn = ""; shown = ""; $("[data-run]").replaceChildren(); show(open); }));
api("warm_up").catch(() => {});
const remember = mm.address.keep("fine-tune", element, {
  state: () => ({ part: open === "train" ? "" : open, learns: captioner ? "captioner" : "", run: open === "train" ? shown : "",
    ...(open === "versions" && { ...looked, split: looked.compared && $("[data-split]").selectedIndex ? $("[data-split]").value : "" }) }),
  async restore(link) {
    captioner = link.learns === "captioner";
    const run = link.run && (await ask("runs").catch(() => null));
    shown = !run || run.runs.some((r) => r.run === link.run) ? link.run || "" : "";
    if (link.run && !shown) mm.address.gone(`The run ${link.run} of this link is not here any more`, "the latest one is shown instead");
    drawLearner();
    show(link.part || "train");
    if (open === "versions") { seenTask = chosenTask(); await look(link).catch((e) => error(e.message)); }
  },
});
poll(element, 4000, async () => {
  if (open === "runs") return { runs: await views.runs() };
  if (open === "models") return { device: await api("device") };
  return open === "train" ? ask("training", { run: shown }) : {};
}, (s, e) => {
  if (e) { if (open === "train") $("[data-run]").replaceChildren(h("p", { class: "mm-note" }, e.told ? e.message : "No connection. The run goes on without this page; trying again…")); return Math.max(2000, (e.after_s || 0) * 1000); }
  if ("runs" in s) return s.runs ? 1000 : 4000;
  if (s.device) { $("[data-device]").textContent = device(s.device); return 2000; }
  if (!s.status) return 4000;
  drawRun((run = s));
  return ["running", "queued"].includes(s.status) ? 500 : s.status === "done" && ((!s.curve && !s.no_curve && s.method === "head") || (s.vocabulary?.length && !s.transcripts)) ? 1500 : 4000;
});
let active = "";
addEventListener("mm-status", (e) => { if (element.offsetParent !== null && e.detail.version !== active) { active = e.detail.version; views[open](); } });
mm.sayForWhom();
