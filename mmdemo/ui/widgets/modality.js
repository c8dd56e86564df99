// The tab of a modality without one of its own: `about` is its task, and its pictures are what the server draws.
const { h, api, thumb, toast, upload, fail, into } = mm, { legend, marks, score, card, note, parts } = mm.answers;
const { noun, plural } = mm.modalityOf(about);
const $ = (selector) => element.querySelector(selector);
const stage = $(".mm-stage"), texts = $("textarea"), words = $("input[type=search]"), file = $("input[type=file]");
const state = { mode: "align", item: "", version: "" };
let begun = null, asked = {};
$("[data-noun]").setAttribute("aria-label", noun[0].toUpperCase() + noun.slice(1));
stage.setAttribute("aria-label", tr`Drop or choose a ${noun}`);
$(".mm-empty").textContent = tr`Drop a ${noun}, or choose one below`;
$("[data-similar]").textContent = tr`By this ${noun}`;

/* The address and the views */
const remember = mm.address.keep(about, element, { restore, state: () => ({
  ...state,
  text: (state.mode === "search" ? words : texts).value.trim(),
  ...(state.mode === "search" && mm.answers.wishes(element, asked)),
}) });
function open(mode) {
  state.mode = mode;
  for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === mode);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== mode;
  remember();
}
for (const tab of element.querySelectorAll("[role=tab]")) tab.onclick = () => open(tab.dataset.view);

/* The item */
const turn = mm.turns();
function show(item, name, _ = turn()) {
  state.item = item;
  stage.replaceChildren(h("img", { src: thumb(item, 1280), alt: name }));
  $("[data-name]").textContent = name;
  mm.brought($(".mm-tools"));
  for (const sample of element.querySelectorAll(".mm-samples button")) sample.setAttribute("aria-pressed", sample.dataset.item === item);
  $("[data-scores]").replaceChildren();
  remember();
}
async function take(blob) {
  stage.classList.add("busy");
  const later = turn.later();
  try { const got = await upload(blob, blob.name, "", about), still = later(); if (!still) return; show(got.item, got.name, still); mm.brought($(".mm-tools"), got); if (state.mode === "search") search({ by: true }); else if (texts.value.trim()) align(); } catch (e) { toast(e.message, true); } finally { stage.classList.remove("busy"); }
}
$("[data-upload]").onclick = () => file.click();
stage.onclick = () => { if (!state.item) file.click(); };
stage.onkeydown = (e) => { if (e.key === "Enter") file.click(); };
file.onchange = () => { if (file.files[0]) take(file.files[0]); file.value = ""; };
for (const kind of ["dragover", "dragenter"]) stage.addEventListener(kind, (e) => { e.preventDefault(); stage.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) stage.addEventListener(kind, () => stage.classList.remove("over"));
stage.addEventListener("drop", (e) => { e.preventDefault(); if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]); });
const needed = (box) => state.item || (fail(box, new Error(tr`There is no ${noun} yet. Drop one on the left, or choose one below it.`)), false);

/* Align */
function align() {
  const box = $("[data-scores]");
  if (!needed(box)) return;
  remember();
  return into(box, () => api("align", { item: state.item, texts: texts.value.split("\n").filter((t) => t.trim()), version: state.version, task: about }), (answer) =>
    box.replaceChildren(mm.answers.measures(answer),
      ...answer.scores.map((s, i) => score(s, i, marks(state.item, s.text, { origin: "align", version: answer.model }), answer.model))), { doing: tr`Checking the texts`, shape: "rows" });
}
$("[data-align]").onclick = align;
texts.onkeydown = (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); align(); } };
texts.oninput = () => remember();

/* Search */
async function look(item) {
  const still = turn(), found = await api("medium", { item, task: about });
  if (!still()) return;
  texts.value = [...new Set([words.value.trim(), ...found.texts].filter(Boolean))].join("\n");
  open("align");
  show(found.item, found.name);
  align();
}
function search({ by: byItem = false, all = false } = {}) {
  const box = $("[data-results]"), query = words.value.trim();
  asked = { by: byItem, all };
  if (byItem ? !needed(box) : !query) return byItem || fail(box, new Error(tr`There is nothing to look for. Write some words.`));
  remember(true);
  const body = { task: about, k: 24, query, item: byItem ? state.item : "", version: state.version, ...mm.answers.request(mm.answers.wishes(element, asked)) };
  return into(box, () => api("search", body), (answer) => box.replaceChildren(...[
    legend([query && `“${query}”`, byItem && tr`the ${noun}`].filter(Boolean).join(tr` and `) + mm.answers.reordered(answer), answer.model), mm.answers.told(answer), note(answer),
    ...parts(answer, answer.results.map((r, i) => card(r, i + 1, query, answer.model, {
      then: () => { if (words.value.trim() === query) search(asked); },
      openTitle: tr`Align this ${noun}`, open: () => look(r.item).catch((e) => fail(box, e)),
      similarTitle: tr`Search by this ${noun}`, similar: () => { show(r.item, r.file); words.value = ""; search({ by: true }); } })), {
      wrap: (cards) => h("div", { class: "mm-cards" }, cards), all: !all && answer.results.length < body.k ? () => search({ by: byItem, all: true }) : null })].filter(Boolean)), { doing: tr`Searching the ${plural}`, shape: "cards" });
}
$("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
$("[data-similar]").onclick = () => search({ by: true });
for (const name of ["state", "source"]) $(`[data-${name}]`).onchange = () => { if ($("[data-results]").children.length) search(asked); };

const otherVersion = () => { remember(); if (state.item && state.mode === "align") align(); if (state.mode === "search" && $("[data-results]").children.length) search(asked); };

/* The start: what the link says, or the first sample */
async function begin(link) {
  const start = await mm.begin(about, link, state, otherVersion);
  $("[data-state]").append(...mm.options(mm.kinds));
  $("[data-source]").append(...start.sources.map((s) => h("option", { value: s }, s)));
  const pick = (s) => { show(s.item, s.texts[0] || s.name); if (state.mode === "search") search({ by: true }); else if (texts.value.trim()) align(); };
  $(".mm-samples").replaceChildren(...start.samples.map((s) => h("button", { type: "button", "data-item": s.item, "aria-pressed": false, title: s.texts[0] || s.name, onclick: () => pick(s) }, h("img", { src: thumb(s.item), alt: s.texts[0] || s.name }))));
  if (!start.samples.length) $(".mm-empty").textContent = tr`There are no ${plural} here yet. Import some in the Data tab, or drop one.`;
  return start;
}
async function restore(link, first) {
  begun ||= begin(link);
  const start = await begun.catch((e) => { begun = null; toast(e.message, true); return null; });
  if (!start) return;
  if (!first) mm.version.choose(about, link.version || "");
  const seeks = link.mode === "search", field = seeks ? words : texts;
  if (!(first && field.value)) field.value = link.text || "";
  texts.value ||= [...new Set(start.samples.flatMap((s) => s.texts.slice(0, 1)))].slice(0, 4).join("\n");
  if (seeks) { mm.answers.choose(element, link); asked = { by: Boolean(link.by), all: Boolean(link.all) }; }
  open(seeks ? "search" : "align");
  const [sample] = start.samples, there = link.item && await mm.address.itemOf(link.item, about, sample ? tr`the first sample is shown instead` : tr`no ${noun} is shown instead`).catch((e) => { toast(e.message, true); return null; });
  const shown = there || sample;
  const still = first ? turn.first() : turn();
  if (shown && still && shown.item !== state.item) show(shown.item, (!there && shown.texts[0]) || shown.name, still);
  if (state.mode === "align" && state.item && texts.value.trim()) align();
  if (state.mode === "search" && (words.value || link.item)) search({ by: Boolean(link.by && state.item) || !words.value, all: Boolean(link.all) });
}
