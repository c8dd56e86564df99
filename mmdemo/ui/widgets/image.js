const { h, api, address, thumb, toast, upload, fail, into } = mm, { legend, marks } = mm.answers;
const $ = (selector) => element.querySelector(selector);
const stage = $(".mm-stage"), slider = $(".mm-heat input"), captions = $("textarea");
const words = $("input[type=search]"), file = $("input[type=file]");
const state = { view: "align", item: "", text: "", version: "" };
let maps = [], notes = [], shown = -1, picture = null, writing = 0, asked = {};
let quiet = !mm.ofImage;  // the link is of another tab: it stays

/* The address and the views */
function remember() {
  state.text = state.view === "search" ? words.value.trim() : state.view === "align" ? captions.value.trim() : "";
  mm.states.image = { ...state, ...(state.view === "search" ? mm.answers.wishes(element, asked) : mm.answers.NO_WISHES) };
  clearTimeout(writing);  // after what is to be seen has been drawn: asking for a layout and writing an address take 25 ms
  writing = setTimeout(() => { if (!quiet && element.offsetParent !== null) address.write({ task: "image-text", ...mm.states.image }); });
}
function open(view) {
  state.view = view;
  for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === view);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== view;
  remember();
}
for (const tab of element.querySelectorAll("[role=tab]")) {
  tab.onclick = () => { quiet = false; open(tab.dataset.view); if (state.view === "caption" && state.item) propose(); };
}


/* The picture */
const turn = mm.turns();
function show(item, name = "", _ = turn()) {
  state.item = item;
  maps = []; notes = []; shown = -1;
  $(".mm-heat").hidden = true;
  mm.brought($(".mm-tools"));
  picture = h("img", { src: thumb(item, 1280), alt: name || "The picture" });
  stage.replaceChildren(picture, h("canvas", { "aria-hidden": "true" }));
  for (const sample of element.querySelectorAll(".mm-samples button")) sample.setAttribute("aria-pressed", sample.dataset.item === item);
  for (const box of ["[data-scores]", "[data-captions]"]) $(box).replaceChildren();
  remember();
}
async function choose(item, name, texts, still) {
  quiet = false;
  show(item, name, still);
  if (state.view === "caption") return propose();
  if (state.view === "search") return search({ by: true });
  if (texts && (!captions.value.trim() || captions.dataset.given === "1")) { captions.value = texts.join("\n"); captions.dataset.given = "1"; }
  if (captions.value.trim()) align();
}
async function take(blob, name) {
  stage.classList.add("busy");
  const later = turn.later();
  try {
    const got = await upload(blob, name), still = later();
    if (!still) return;
    const chosen = choose(got.item, got.name, null, still);
    mm.brought($(".mm-tools"), got);
    await chosen;
  } catch (e) { show_error(e.message); } finally { stage.classList.remove("busy"); }
}
function show_error(message) { toast(message, true); if (!state.item) stage.replaceChildren(h("p", { class: "mm-error", role: "alert" }, message)); }

$("[data-upload]").onclick = () => file.click();
stage.onclick = () => { if (!state.item) file.click(); };
stage.onkeydown = (e) => { if (e.key === "Enter") file.click(); };
file.onchange = () => { if (file.files[0]) take(file.files[0], file.files[0].name); file.value = ""; };
for (const kind of ["dragover", "dragenter"]) stage.addEventListener(kind, (e) => { e.preventDefault(); stage.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) stage.addEventListener(kind, () => stage.classList.remove("over"));
stage.addEventListener("drop", (e) => { e.preventDefault(); const f = e.dataTransfer.files[0]; if (f) take(f, f.name); });
addEventListener("paste", (e) => {
  if (!element.isConnected || element.offsetParent === null) return;
  const f = [...(e.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
  if (f) { e.preventDefault(); take(f, f.name || "clipboard.png"); }
});
$("[data-webcam]").onclick = async () => {
  let stream;
  try { stream = await navigator.mediaDevices.getUserMedia({ video: true }); } catch {
    return toast("The camera is not available. Allow it in the browser, or upload a picture.", true);
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
  stage.replaceChildren(video, h("button", { class: "mm-button primary mm-snap", type: "button", onclick: (e) => { e.stopPropagation(); snap(); } }, "Take picture"));
};

/* Heat map: the small map is coloured, then stretched smoothly over the picture */
function colour(v) {
  const stops = [[48, 18, 119], [30, 120, 220], [40, 200, 160], [250, 220, 60], [235, 70, 30]];
  const at = v * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at)), t = at - i;
  return stops[i].map((c, k) => c + (stops[i + 1][k] - c) * t);
}
function heat(i) {
  shown = i;
  const canvas = stage.querySelector("canvas");
  const why = i < 0 ? "" : notes[i] || "";  // nothing is lit
  $(".mm-heat").hidden = i < 0 || Boolean(why);
  $("[data-unlit]").textContent = why;
  $("[data-unlit]").hidden = !why;
  for (const row of element.querySelectorAll("[data-score]")) row.querySelector(".mm-pick").setAttribute("aria-pressed", Number(row.dataset.score) === i);
  if (!canvas) return;
  if (i < 0 || !maps[i] || why) { canvas.width = canvas.height = 0; return; }
  const map = maps[i], small = h("canvas", { width: map[0].length, height: map.length });
  const pixels = new ImageData(map[0].length, map.length);
  map.flat().forEach((v, k) => {
    const [r, g, b] = colour(v / 255);
    pixels.data.set([r, g, b, v], 4 * k);  // what is not there is not covered
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const draw = () => {
    // the picture's own pixels: its element may be wider or higher than they are (object-fit: contain)
    const { clientWidth: width, clientHeight: height, naturalWidth: across, naturalHeight: down } = picture;
    const scale = Math.min(width / across, height / down);
    canvas.width = Math.round(across * scale); canvas.height = Math.round(down * scale);
    canvas.style.left = `${picture.offsetLeft + (width - canvas.width) / 2}px`;
    canvas.style.top = `${picture.offsetTop + (height - canvas.height) / 2}px`;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    canvas.style.opacity = slider.value / 100;
  };
  if (picture.complete) draw(); else picture.onload = draw;
}
slider.oninput = () => heat(shown);
new ResizeObserver(() => { if (shown >= 0) heat(shown); }).observe(stage);

/* Align */
const scoreRow = (score, i, model) => mm.answers.score(score, i, marks(state.item, score.text, { origin: "align", version: model }), model, () => heat(shown === i ? -1 : i));
function align() {
  const box = $("[data-scores]");
  if (!state.item) return fail(box, new Error("There is no picture yet. Drop one on the left, or choose a sample."));
  remember();
  return into(box, () => api("explain", { item: state.item, texts: captions.value.split("\n").filter((t) => t.trim()), version: state.version }), (answer) => {
    maps = answer.maps; notes = answer.notes;
    box.replaceChildren(
      mm.answers.told(answer) || "",
      mm.answers.measures(answer),
      ...answer.scores.map((s, i) => scoreRow(s, i, answer.model)));
    const best = answer.scores.reduce((b, s, i) => (s.probability > answer.scores[b].probability ? i : b), 0);
    heat(best);
  });
}
$("[data-align]").onclick = align;
captions.onkeydown = (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); align(); } };
captions.oninput = () => { captions.dataset.given = ""; remember(); };

/* Caption */
const ORIGIN = { class: "a class the model sees", kind: "what several classes have in common", thing: "what it sees beside its classes", labelled: "a text that other pictures are labelled with", confirmed: "a text that this picture is labelled with", written: "written by the captioner" };
function propose() {
  const box = $("[data-captions]");
  if (!state.item) return fail(box, new Error("There is no picture yet. Drop one on the left, or choose a sample."));
  remember();
  return into(box, () => api("caption", { item: state.item, version: state.version }), (answer) => {
    box.replaceChildren(
      answer.note ? h("p", { class: "mm-note", role: "status" }, answer.note) : "",
      ...answer.captions.map((c, i) => h("div", { class: "mm-line" },
        h("div", { class: i ? "mm-caption" : "mm-caption best" }, h("span", { class: "mm-text" }, c.text),
          h("span", { class: "mm-faint" }, ...mm.answers.claim(c, { task: "image-text", version: answer.model }), ORIGIN[c.source]),
          mm.answers.agreed(c, "image-text")),
        marks(state.item, c.text, { origin: "caption", version: answer.model, claimed: c.judged === null ? null : c.score }))),
      h("form", { class: "mm-row", onsubmit: (e) => { e.preventDefault(); write(e.target); } },
        h("input", { type: "text", maxlength: 2000, "aria-label": "A caption of your own", placeholder: "a caption of your own" }), h("button", { class: "mm-button", type: "submit" }, "Save as a label")),
      h("p", { class: "mm-hint" }, "A tick here is a label: confirmed texts are proposed for like pictures from then on."));
  });
}
function write(form) {
  const text = form.querySelector("input").value.trim();
  if (text) mm.save("label_result", { item: state.item, text, verdict: mm.confirms, origin: "caption" }).receipt.then(() => propose(), (e) => fail($("[data-captions]"), e));
}
$("[data-caption]").onclick = propose;

/* Search */
const card = (result, rank, query, model) => mm.answers.card(result, rank, query, model, {
  openTitle: "Align this picture",
  open: async () => {
    open("align");
    const still = turn(), item = await api("medium", { item: result.item, task: "image-text" });
    if (!still()) return;
    captions.value = [...new Set([query, ...item.texts].filter(Boolean))].join("\n");
    show(item.item, item.name);
    align();
  },
  similarTitle: "Search by this picture",
  similar: () => { show(result.item, result.text); words.value = ""; named(); search({ by: true }); },
  then: () => { if (words.value.trim() === query) search(asked); },  // what people say of answers moves the others
});
function search({ by: byPicture = false, all = false } = {}) {
  const box = $("[data-results]"), query = words.value.trim();
  asked = { by: byPicture, all };
  if (!query && !byPicture) return fail(box, new Error("There is nothing to look for. Write some words, or search by the picture."));
  if (byPicture && !state.item) return fail(box, new Error("There is no picture to search by. Drop one on the left, or choose a sample."));
  remember();
  const body = { k: 24, query, item: byPicture ? state.item : "", ...mm.answers.request(mm.answers.wishes(element, asked)) };
  return into(box, () => api("search", body), (answer) => {
    const note = mm.answers.note(answer);
    const by = legend((query ? `“${query}”${byPicture ? " and the picture" : ""}` : "by the picture") + mm.answers.reordered(answer), answer.model);
    const more = !all && answer.results.length < body.k ? () => search({ by: byPicture, all: true }) : null;
    const list = body.target === "text"
      ? mm.answers.parts(answer, answer.results.map((r, i) => h("div", { class: "mm-line" },
          h("div", { class: "mm-caption" }, h("span", { class: "mm-text" }, r.text), mm.answers.likely(r, answer.model)),
          state.item && byPicture ? marks(state.item, r.text, { origin: "search", rank: i + 1, version: answer.model }) : null)), { all: more })
      : mm.answers.parts(answer, answer.results.map((r, i) => card(r, i + 1, query, answer.model)), { wrap: (cards) => h("div", { class: "mm-cards" }, cards), all: more });
    box.replaceChildren(...[by, mm.answers.told(answer, state.version), note, ...list].filter(Boolean));
  });
}
$("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
$("[data-similar]").onclick = () => search({ by: true });
// Words that stand there are sought too, and the button says so.
function named() { $("[data-similar]").textContent = words.value.trim() ? "By this picture and the words" : "By this picture"; }
words.addEventListener("input", named);
for (const name of ["target", "state", "source"]) $(`[data-${name}]`).onchange = () => { if ($("[data-results]").children.length) search(asked); };

/* Versions: the active one unless a link or the person says otherwise */
const otherVersion = () => { remember(); if (state.item && state.view === "align") align(); if (state.item && state.view === "caption") propose(); if (state.view === "search" && $("[data-results]").children.length) search(asked); };

/* The start: what the link says, or the first sample */
(async () => {
  const link = quiet ? {} : address.link;
  const begun = await mm.begin("image-text", link, state, otherVersion).catch((e) => { show_error(e.message); return null; });
  if (!begun) return;
  $("[data-state]").append(...mm.options(mm.kinds));
  $("[data-source]").append(...begun.sources.map((s) => h("option", { value: s }, s)));
  $(".mm-samples").replaceChildren(...begun.samples.map((s) => h("button", { type: "button", "data-item": s.item, "aria-pressed": false, title: s.texts[0] || s.name,
    onclick: () => choose(s.item, s.texts[0] || "", s.texts.length ? [s.texts[0], ...begun.samples.filter((o) => o !== s && o.texts.length).slice(0, 2).map((o) => o.texts[0])] : null) }, h("img", { src: thumb(s.item), alt: s.texts[0] || s.name }))));
  const view = ["align", "caption", "search"].includes(link.view) ? link.view : "align";
  const there = link.item ? await api("medium", { item: link.item, task: "image-text" }).catch((e) => { show_error(e.message); return null; }) : null;
  const first = turn.first();  // none: somebody was quicker
  if (there && first) show(there.item, there.name, first);
  else if (first && begun.samples[0] && view !== "search") show(begun.samples[0].item, begun.samples[0].texts[0] || "", first);
  if (view === "search") { words.value ||= link.text || ""; named(); } else captions.value ||= link.text || "";  // what somebody wrote meanwhile stays
  if (!captions.value && !there && begun.samples[0]) { captions.value = begun.samples.slice(0, 3).flatMap((s) => s.texts.slice(0, 1)).join("\n"); captions.dataset.given = "1"; }
  if (quiet) { state.view = "align"; for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === "align"); return; }
  if (view === "search") { mm.answers.choose(element, link); asked = { by: Boolean(link.by), all: Boolean(link.all) }; }
  open(view);
  await mm.drawn();  // the model's work would take the processor from the page that is being drawn
  if (["scores", "captions", "results"].some((box) => $(`[data-${box}]`).turn)) return;  // the person was quicker
  if (view === "align" && captions.value) align();
  if (view === "caption" && state.item) propose();
  if (view === "search" && (link.text || there)) search({ by: Boolean(link.by && there) || !link.text, all: Boolean(link.all) });
})();
