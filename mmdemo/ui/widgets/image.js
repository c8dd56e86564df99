const { h, api, thumb, toast, upload, fail, into } = mm, { legend, marks } = mm.answers;
const $ = (selector) => element.querySelector(selector);
const stage = $(".mm-stage"), where = $(".mm-where"), slider = $(".mm-where input"), captions = $("textarea"), another = $("[data-another] input");
const words = $("input[type=search]"), file = $("input[type=file]");
const state = { view: "align", item: "", version: "" }, VIEWS = ["align", "caption", "search"];
let picture = null;

/* The address and the views */
const remember = mm.address.keep("image", element, { restore, state: () => ({
  ...state,
  text: state.view === "search" ? words.value.trim() : state.view === "align" ? captions.value.trim() : "",
  ...(state.view === "search" ? wishes() : lightOfLink()),
}) });
const lightOfLink = () => ({
  light: mode === "light" ? "" : mode, strength: slider.value === STRENGTH ? "" : slider.value,
  ...(state.view === "align" && { lit, near: $("[data-scores]").classList.contains("near") ? "1" : "" }),
});
const tabs = [...element.querySelectorAll("[role=tab]")];
function selected(view) {
  for (const tab of tabs) tab.setAttribute("aria-selected", tab.dataset.view === view);
}
function open(view) {
  state.view = element.querySelector(".mm-image").dataset.view = view;
  selected(view);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== view;
  relight();
  remember();
  if (view === "search") askSaved();
}
// What was answered for another picture is asked again for the one that is shown.
for (const tab of tabs) tab.onclick = () => {
  open(tab.dataset.view);
  if (state.view === "caption" && state.item) propose();
  if (state.view === "align" && state.item && captions.value.trim() && !element.querySelector("[data-score]")) align();
  if (state.view === "search") searchByShown();
};

/* The picture */
const turn = mm.turns();
function show(item, name = "", _ = turn()) {
  state.item = item;
  lit = "";
  for (const view of Object.keys(lights)) lights[view] = NOTHING_LIT;
  mm.brought($("[data-brought]"));
  picture = h("img", { src: thumb(item, 1280), alt: name || tr`The picture` });
  const shown = picture;
  shown.addEventListener("load", () => { if (shown === picture) { stage.dataset.ground = standsOnWhite(shown) ? "white" : ""; relight(); } });
  stage.dataset.ground = "";
  stage.replaceChildren(picture, h("canvas", { "aria-hidden": "true" }));
  stage.setAttribute("aria-label", tr`${name || tr`The picture`}. Enter chooses another one`);
  for (const sample of element.querySelectorAll(".mm-samples button")) sample.setAttribute("aria-pressed", sample.dataset.item === item);
  for (const box of ["[data-scores]", "[data-captions]"]) $(box).replaceChildren();
  receipts.clear();
  nothingChecked();
  relight();
  named();
  remember();
}
async function choose(item, name, texts, still) {
  show(item, name, still);
  if (state.view === "caption") return propose();
  if (state.view === "search") return search({ by: true });
  if (texts && (!captions.value.trim() || captions.dataset.given === "1")) { captions.value = texts.join("\n"); captions.dataset.given = "1"; }
  if (captions.value.trim()) return align();
}
async function take(blob, name) {
  stage.classList.add("busy");
  const later = turn.later();
  try {
    const got = await upload(blob, name), still = later();
    if (!still) return;
    const chosen = choose(got.item, got.name, null, still);
    mm.brought($("[data-brought]"), got);
    await chosen;
  } catch (e) { show_error(e.message); } finally { stage.classList.remove("busy"); }
}
function show_error(message) { toast(message, true); if (!state.item) stage.replaceChildren(h("p", { class: "mm-error", role: "alert" }, message)); }

$("[data-upload]").prepend(mm.icon("upload"));
$("[data-webcam]").prepend(mm.icon("camera"));
$("[data-upload]").onclick = () => file.click();
stage.onclick = () => { if (!state.item) file.click(); };
stage.onkeydown = (e) => { if (e.key === "Enter") file.click(); };
file.onchange = () => { if (file.files[0]) take(file.files[0], file.files[0].name); file.value = ""; };
// Files are dropped and pasted anywhere on the page while this tab is open.
const here = () => element.isConnected && element.offsetParent !== null;
const brings = (e) => here() && [...(e.dataTransfer?.types || [])].includes("Files");
for (const kind of ["dragover", "dragenter"]) addEventListener(kind, (e) => { if (brings(e)) { e.preventDefault(); stage.classList.add("over"); } });
addEventListener("dragleave", (e) => { if (!e.relatedTarget) stage.classList.remove("over"); });
addEventListener("drop", (e) => {
  stage.classList.remove("over");
  const f = brings(e) && e.dataTransfer.files[0];
  if (f) { e.preventDefault(); if (!mm.lead(e, "image-text")) take(f, f.name); }
});
mm.receive("image-text", (f) => take(f, f.name));
addEventListener("paste", (e) => {
  const f = here() && [...(e.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
  if (f) { e.preventDefault(); take(f, f.name || "clipboard.png"); }
});
$("[data-webcam]").onclick = async () => {
  let stream;
  try { stream = await navigator.mediaDevices.getUserMedia({ video: true }); } catch {
    return toast(tr`The camera is not available. Allow it in the browser, or upload a picture.`, true);
  }
  const video = h("video", { autoplay: true, muted: true, playsinline: true });
  video.srcObject = stream;
  const stop = () => stream.getTracks().forEach((t) => t.stop());
  const snap = async () => {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    stop();
    canvas.toBlob((blob) => take(blob, "webcam.png"), "image/png");
  };
  where.hidden = true;
  stage.replaceChildren(video, h("button", { class: "mm-button primary mm-snap", type: "button", onclick: (e) => { e.stopPropagation(); snap(); } }, tr`Take picture`));
};

/* Where the chosen text is, over the picture */
const NOTHING_LIT = { maps: [], notes: [], texts: [], at: -1 };
const lights = { align: NOTHING_LIT, caption: NOTHING_LIT };  // of each view
let mode = "light", lit = "";  // lit: the number of the text that was picked, "0" of none, "" as the answer has it
const STRENGTH = slider.value;
function relight() {
  const { maps, notes, texts: of, at } = lights[state.view] || NOTHING_LIT, canvas = stage.querySelector("canvas"), said = $("[data-lit]");
  const shines = at >= 0 && Boolean(maps[at]) && !notes[at];
  where.hidden = !shines && !notes[at];
  where.querySelector(".mm-segments").hidden = !shines;
  for (const b of where.querySelectorAll("[data-mode]")) b.setAttribute("aria-pressed", b.dataset.mode === mode);
  const sentence = !shines ? notes[at] || "" : mode === "off" ? "" : tr`Lit where ${`“${of[at]}”`} fits`;
  if (said.textContent !== sentence) said.replaceChildren(...(shines && sentence ? tr`Lit where ${h("span", { class: "mm-text" }, `“${of[at]}”`)} fits` : [sentence]));
  said.hidden = !sentence;
  said.dataset.unlit = shines ? "" : "1";
  if (!canvas) return;
  if (!shines || mode === "off") { canvas.width = canvas.height = 0; return; }
  const shown = picture, draw = () => { if (shown === picture) drawLight(shown, canvas, maps[at], { mode, strength: slider.value / 100, plate: stage.dataset.ground && getComputedStyle(stage).backgroundColor }); };
  if (shown.complete && shown.naturalWidth) draw(); else shown.addEventListener("load", draw, { once: true });
}
function choosesText(i) {
  lights.align = { ...lights.align, at: i };
  for (const row of element.querySelectorAll("[data-score]")) row.querySelector(".mm-pick")?.setAttribute("aria-pressed", Number(row.dataset.score) === i);
  relight();
}
for (const b of where.querySelectorAll("[data-mode]")) b.onclick = () => { mode = b.dataset.mode; relight(); remember(); };
slider.oninput = () => { relight(); remember(); };
new ResizeObserver(() => { if (!where.hidden) relight(); }).observe(stage);

/* Align */
const receipts = receiptsOf(element, () => state.item), marksOf = receipts.marks;
const lines = textList(captions, another, { box: $("[data-scores]"), lines: $("[data-lines]"), rows: [$("[data-near]")], check: align, edited: remember, rewritten: () => { lit = ""; }, emptied() {
  lights.align = NOTHING_LIT;
  relight();
  remember();
  nothingChecked();
} });
let checked = 0;  // how often it was asked
const signs = mm.kinds.filter((kind) => kind.sign).map((kind) => kind.sign);
const HINT = tr`Pick a text to see where. Your ${signs.flatMap((s, i) => [i ? tr` and ` : "", h("b", {}, s)])} teach the model.`;
function say(answer, ...hint) {
  if ($("[data-answer]").textContent !== answer) $("[data-answer]").textContent = answer;
  $("[data-hint]").replaceChildren(...hint);
}
function nothingChecked() { say(tr`Does a text fit this picture?`, tr`Write one below.`); }
function align() {
  const box = $("[data-scores]"), mine = ++checked, list = lines.list(), { item } = state;
  if (!state.item) { say(tr`There is no picture yet`, ""); return fail(box, new Error(tr`Drop a picture anywhere on the page, or choose a sample.`)); }
  remember();
  if (!box.querySelector("[data-score]")) {
    say(tr`Checking ${many(list.length, "text", "texts")}…`, "");
    box.replaceChildren(waitingRows(list));
  }
  const ask = () => api("explain", { item, texts: list, version: state.version }).catch((e) => {
    if (mine === checked && item === state.item) { say(tr`Nothing was checked`, ""); lights.align = NOTHING_LIT; relight(); }
    throw e;
  });
  // What was asked of another picture is not drawn over this one.
  return into(box, ask, (answer) => { if (item === state.item) drawTexts(answer); }, { doing: tr`Checking the texts`, shape: "", say: (working) => { if (item === state.item) $("[data-hint]").replaceChildren(...working.childNodes); } });
}
function drawTexts({ scores, zones, maps, notes, model, note }) {
  if (captions.hidden) captions.value = scores.map((s) => s.text).join("\n");
  $("[data-scores]").replaceChildren(...[
    mm.answers.told({ note }),
    zones && axis(zones),
    h("ul", { class: "mm-fits", role: "list" }, scores.map((score, i) => textRow(score, i, {
      zones, model, marked: marksOf(score.text, { origin: "align", version: model }),
      press: (at) => { choosesText(lights.align.at === at ? -1 : at); lit = String(lights.align.at + 1); remember(); },
      change: lines.change,
    }))),
  ].filter(Boolean));
  say(sentence(scores), ...(zones ? HINT : [tr`How likely they fit was not measured with this version: this is how near they lie.`]));
  lights.align = { maps, notes, texts: scores.map((s) => s.text), at: -1 };
  const written = lines.written(scores.map((s) => s.text));
  if (written >= 0) { lit = String(written + 1); remember(); }
  choosesText(lit && lit <= scores.length ? lit - 1 : scores.reduce((b, s, i) => (s.probability > scores[b].probability ? i : b), 0));
  if (written >= 0 && document.activeElement === document.body) element.querySelector(`[data-score="${written}"] .mm-pick`).focus();
}
function showNear(on) {
  $("[data-scores]").classList.toggle("near", on);
  $("[data-near]").setAttribute("aria-pressed", on);
  $("[data-near]").textContent = on ? tr`Hide similarity` : tr`Show similarity`;
}
$("[data-near]").onclick = () => { showNear(!$("[data-scores]").classList.contains("near")); remember(); };

/* Search: search.js */
wireSearch();

/* Another version was chosen in the header: what is shown is asked for again */
const otherVersion = () => { remember(); if (state.item && state.view === "align") align(); if (state.item && state.view === "caption") propose(); if (state.view === "search") searchAgain(); };

/* What a link says, or the first sample */
const NONE = [...stage.childNodes];
let begun = null;
async function begin(link) {
  const start = await mm.begin("image-text", link, state, otherVersion);
  $(".mm-samples").replaceChildren(...start.samples.map((s) => h("button", { type: "button", "data-item": s.item, "aria-pressed": false, title: s.texts[0] || s.name,
    onclick: () => choose(s.item, s.texts[0] || "", s.texts.length ? [s.texts[0], ...start.samples.filter((o) => o !== s && o.texts.length).slice(0, 2).map((o) => o.texts[0])] : null) }, h("img", { src: thumb(s.item), alt: s.texts[0] || s.name }))));
  return start;
}
function unshow() {
  picture = null;
  state.item = "";
  stage.replaceChildren(...NONE);
  for (const sample of element.querySelectorAll(".mm-samples button")) sample.setAttribute("aria-pressed", false);
}
async function restore(link, first) {
  begun ||= begin(link);
  const view = VIEWS.includes(link.view) ? link.view : "align";
  if (first && mm.address.at === "image") { if (view === "search") words.value ||= link.text || ""; open(view); }
  const waiting = mm.waits($({ align: "[data-scores]", caption: "[data-captions]", search: "[data-results]" }[view]), { doing: tr`Opening the samples`, shape: { align: "rows", caption: "title", search: "cards" }[view] });
  const start = await begun.catch((e) => { begun = null; show_error(e.message); return null; });
  waiting.over();
  if (!start) return;
  if (!first) mm.version.choose("image-text", link.version || "");
  const [sample] = start.samples;
  const there = link.item && link.item !== state.item ? await mm.address.itemOf(link.item, "image-text", view !== "search" && sample ? tr`the first sample is shown instead` : tr`no picture is shown instead`).catch((e) => { show_error(e.message); return null; }) : null;
  const still = first ? turn.first() : turn();  // none: somebody was quicker
  if (there && still) show(there.item, there.name, still);
  else if (still && !(link.item && link.item === state.item)) {
    if (view === "search") unshow(); else if (sample) show(sample.item, sample.texts[0] || "", still);
  }
  const field = view === "search" ? words : captions;
  if (view !== "caption" && !(first && field.value)) { field.value = link.text || ""; captions.dataset.given = ""; }  // what somebody wrote meanwhile stays
  named();
  if (!captions.value && !(link.item && link.item === state.item) && sample) { captions.value = start.samples.slice(0, 3).flatMap((s) => s.texts.slice(0, 1)).join("\n"); captions.dataset.given = "1"; }
  if (mm.address.at !== "image") { selected(state.view); return; }  // the link is of another tab: nothing is asked here
  lit = view === "align" && /^\d{1,4}$/.test(link.lit) ? link.lit : "";
  mode = ["colours", "off"].includes(link.light) ? link.light : "light";
  slider.value = link.strength || STRENGTH;
  showNear(Boolean(link.near));
  if (view === "search") wishFor(link);
  open(view);
  askAgain(link, first);
}
// What the link's view shows is asked for; at the beginning after the page was drawn, which the model's work would hold up.
async function askAgain(link, first) {
  if (first) await mm.drawn();
  const quicker = first && ["scores", "captions", "results"].some((box) => $(`[data-${box}]`).turn), { view } = state;  // a view opened meanwhile asks by itself
  if (!quicker && view === "align" && captions.value) await align();
  if (!quicker && view === "caption" && state.item) propose();
  if (!quicker && view === "search" && (link.text || link.item)) ask({ by: Boolean(link.by && state.item) || !link.text, all: Boolean(link.all) }, PAGE);
  if (first) tellOfStronger();
}
