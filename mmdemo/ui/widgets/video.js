const { h, api, upload, save, poll, seconds, fail, into } = mm;
const $ = (selector) => element.querySelector(selector);
const state = { view: "find", item: "", version: "" }, samples = $("[data-samples]");
const query = $("[data-find] input"), words = $("[data-collection] input"), player = mm.player($("[data-player]"), { onspan: (m, i) => { const line = $(`[data-moments] [data-moment="${i}"]`); if (line) line.correct(m); } });
let known = null, looked = null, described = null, begun = null, picked = false, subtitles = "", asked = {};

function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const remember = mm.address.keep("video", element, { restore, state: () => ({
  mode: state.view, item: state.item, version: state.version,
  text: state.view === "find" ? query.value : state.view === "search" ? words.value : "",
  done: state.view === "describe" && described ? "1" : "", subtitles: $("[data-subtitles]").checked ? "1" : "",
  ...(state.view === "search" && mm.answers.wishes(element, asked)),
}) });
function open(view) {
  state.view = view;
  for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === view);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== view;
  remember();
}
for (const tab of element.querySelectorAll("[role=tab]")) tab.onclick = () => { picked = true; open(tab.dataset.view); };

/* The video: the server looks through it behind the page, and the shots appear */
const turn = mm.turns();
async function show(item, still = turn()) {
  try { await draw(item, still); } catch (e) { if (still()) throw e; }
}
async function draw(item, still) {
  const found = await mm.patiently(() => api("medium", { item, task: "video-text" }));
  if (!still()) return;
  known = found;
  state.item = item;
  looked = null; described = null;
  mm.brought($(".mm-tools"));
  player.load(item, known.duration);
  player.subtitles("");
  $("[data-name]").textContent = `${known.name} · ${player.text(known.duration)} · ${known.width} × ${known.height}`;
  samples.value = [...samples.options].some((o) => o.value === item) ? item : "";
  for (const box of ["[data-moments]", "[data-captions]", "[data-summary]"]) $(box).replaceChildren();
  $("[data-after]").hidden = true;
  remember();
  const s = await mm.patiently(() => api("watch", { item, version: state.version }));
  if (!still()) return;
  player.rate(s.rate);
  drawState(s);
  mm.poke();
}
// Somebody asks for another one: what was said of the one before goes now, and what is said from here on stays.
const choose = (item) => { error(""); return show(item); };
async function agree() {
  const { item } = state;
  try { const s = await api("watch", { item, version: state.version, agreed: true }); if (item === state.item) { drawState({ ...looked, ...s }); mm.poke(); } } catch (e) { if (item === state.item) error(e.message); }
}
function drawState(s) {
  const before = looked;
  looked = s;
  player.shots(s.shots);
  player.said(s.said);
  player.strip(s.strip);
  const share = known ? Math.min(1, s.done / known.duration) : 0;
  $("[data-progress]").replaceChildren(...[
    s.running && h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, `Looking through it: ${seconds(s.done)} of ${seconds(known.duration)}${s.eta_s ? `, ${seconds(s.eta_s)} left` : ""} `, h("button", { class: "mm-link", type: "button", onclick: () => api("watch_stop", { item: state.item }).catch((e) => error(e.message)) }, "Stop"))),
    !s.running && !s.complete && !s.error && h("p", { class: "mm-note" }, s.estimate_s ? `Looking through ${seconds(known.duration)} of video takes about ${seconds(s.estimate_s)} here. Until then a few key frames answer. ` : "Stopped; it goes on from there. ",
      h("button", { class: "mm-link", type: "button", "data-agree": true, onclick: agree }, s.estimate_s ? "Look through it" : "Go on")),
    s.damaged?.length && h("p", { class: "mm-note" }, `This file is damaged ${s.damaged.slice(0, 3).map(([a, b]) => `from ${player.text(a)} to ${player.text(b)}`).join(", ")}${s.damaged.length > 3 ? ` and in ${s.damaged.length - 3} more places` : ""}. What can be read was used.`),
    s.complete && h("p", { class: "mm-faint" }, `${s.shots.length} shot${s.shots.length === 1 ? "" : "s"}${s.hearing ? " · listening to what is said…" : s.said.length ? ` · ${s.said.length} sentences heard` : ""} · ${s.model}`)].filter(Boolean));
  if (s.error) error(s.error);
  if (before && !before.complete && s.complete && query.value.trim() && state.view === "find") find();
  if (before?.hearing && !s.hearing && s.said.length && query.value.trim() && state.view === "find") find();
}
poll(element, 3000, async () => (looked && (looked.running || looked.hearing) ? [state.item, await api("watching", { item: state.item, version: state.version })] : null), (got) => {
  if (got && got[0] === state.item) drawState({ ...looked, ...got[1] });
  return looked && (looked.running || looked.hearing) ? 500 : 3000;
});
async function take(file) {
  error("");
  const later = turn.later();
  try {
    const got = await upload(file, file.name, "", "video-text"), still = later();
    if (!still) return;
    await show(got.item, still);
    if (state.item === got.item) mm.brought($(".mm-tools"), got);
  } catch (e) { error(e.message); }
}
const input = $("input[type=file]"), drop = $(".mm-drop");
$("[data-upload]").onclick = () => input.click();
input.onchange = () => { if (input.files[0]) take(input.files[0]); input.value = ""; };
drop.ondragover = (e) => { e.preventDefault(); drop.classList.add("over"); };
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = (e) => { e.preventDefault(); drop.classList.remove("over"); if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]); };
samples.onchange = () => { if (samples.value) choose(samples.value).catch((e) => error(e.message)); };
const needed = (box) => state.item || (fail(box, new Error("There is no video yet. Upload one, or choose a sample.")), false);

/* Labels on an answer */
function marks(text, how, { said, known, then } = {}) {
  return mm.answers.taken(text, { said, known, then }, (verdict) => save("label_span", { ...how, text, verdict }),  // how: as it is when it is pressed
    (receipt) => { $("[data-receipt]").textContent = receipt; }, (x) => error(x.message));
}
const span = (a, b) => `${player.text(a)}–${player.text(b)}`;

/* Find */
function find() {
  const box = $("[data-moments]"), text = query.value.trim();
  if (!needed(box)) return;
  if (!text) return fail(box, new Error("There is nothing to look for. Write some words."));
  remember();
  return into(box, () => api("find_moments", { item: state.item, query: text, version: state.version }), (answer) => {
    player.curve(answer.curve);
    player.moments(answer.moments);
    if (answer.complete) player.shots(answer.shots);
    box.replaceChildren(...[h("div", { class: "mm-legend" }, h("span", {}, answer.complete ? "where it is · probability" : "a first look at a few key frames; the whole video follows"), h("span", {}, answer.model)),
      mm.answers.told(answer), answer.complete && answer.no_match && h("p", { class: "mm-note", role: "status" }, h("strong", {}, "No likely match found in this video. "), answer.moments.length ? "These come nearest." : ""),
      ...answer.moments.map((m, i) => {
        const how = { item: state.item, start: m.start, end: m.end, origin: "moment", query: text, rank: i + 1, version: answer.model };
        const where = h("span", { class: "mm-faint" }, span(m.start, m.end));
        // that it is said is no matter of the model of pictures
        const sure = m.probability === null ? mm.answers.likely(m, answer.model) : mm.share(m.probability, { kind: m.found_by === "words" ? "heard" : "fits", task: "video-text", version: answer.model });
        const button = h("button", { class: "mm-caption", type: "button", "data-moment": i, onclick: () => player.playSpan(how.start, how.end) },
          h("img", { src: `mmdemo/frame/${state.item}?t=${((m.start + m.end) / 2).toFixed(2)}`, alt: "", loading: "lazy" }),
          h("span", { class: "mm-text" }, m.found_by === "words" ? `said: “${m.text}”` : "shown"), where);
        // the ends were dragged on the time line: a label is on the corrected span
        let marked = marks(text, how);
        button.correct = (moved) => {
          how.start = moved.start; how.end = moved.end; where.textContent = `${span(moved.start, moved.end)} · corrected`;
          sure.remove();
          const fresh = marks(text, how);  // nothing was said of the corrected one yet
          marked.replaceWith(fresh); marked = fresh;
        };
        return h("div", { class: "mm-line" }, button, sure, marked);
      })].filter(Boolean));
    const best = answer.moments[0];
    if (best) player.seek(best.start + 0.01);
  });
}
$("[data-find]").onsubmit = (e) => { e.preventDefault(); find(); };

/* Describe */
function describe() {
  const box = $("[data-captions]");
  if (!needed(box)) return;
  return into(box, () => api("describe_video", { item: state.item, version: state.version }), (answer) => {
    described = answer;
    remember();
    $("[data-summary]").textContent = answer.summary;
    $("[data-after]").hidden = !answer.chapters;
    if (subtitles) URL.revokeObjectURL(subtitles);
    subtitles = URL.createObjectURL(new Blob([answer.vtt], { type: "text/vtt" }));
    shown();
    if (answer.note) return box.replaceChildren(h("p", { class: "mm-note", role: "status" }, answer.note));
    box.replaceChildren(h("div", { class: "mm-legend" }, h("span", {}, "each shot that it can tell · how sure"), h("span", {}, answer.model)), ...answer.captions.map((c, i) => h("div", { class: "mm-line" },
      h("div", { class: "mm-caption" },
        h("button", { class: "mm-pick", type: "button", onclick: () => player.playSpan(c.start, c.end) },
          h("img", { src: `mmdemo/frame/${state.item}?t=${((c.start + c.end) / 2).toFixed(2)}`, alt: "", loading: "lazy" }), h("span", { class: "mm-text" }, c.text)),
        h("span", { class: "mm-faint" }, ...mm.answers.claim(c, { task: "video-text", version: answer.model }), c.source === "confirmed" ? "its label · " : "", span(c.start, c.end)),
        mm.answers.agreed(c, "video-text")),
      marks(c.text, { item: state.item, start: c.start, end: c.end, origin: "caption", rank: i + 1, version: answer.model, claimed: c.judged === null ? null : c.score }))));
  });
}
const shown = () => player.subtitles($("[data-subtitles]").checked ? subtitles : "");
$("[data-subtitles]").onchange = () => { shown(); remember(); };
$("[data-describe]").onclick = describe;
for (const button of element.querySelectorAll("[data-format]")) button.onclick = () => {
  const text = button.dataset.format === "vtt" ? described.vtt : described.chapters;
  mm.saveFile(`${known.name.replace(/\.\w+$/, "")}.${button.dataset.format === "vtt" ? "vtt" : "chapters.txt"}`, text);
};

/* Search the collection */
function search({ all = false } = {}) {
  const box = $("[data-results]"), text = words.value.trim();
  asked = { all };
  if (!text) return fail(box, new Error("There is nothing to look for. Write some words."));
  remember(true);
  return into(box, () => api("search", { task: "video-text", k: 12, query: text, everything: all, version: state.version }), (answer) => {
    const note = mm.answers.note(answer), again = () => { if (words.value.trim() === text) search(asked); };
    box.replaceChildren(...[h("div", { class: "mm-legend" }, h("span", {}, `“${text}”${mm.answers.reordered(answer)}`), h("span", {}, answer.model)), mm.answers.told(answer), note,
      ...mm.answers.parts(answer, answer.results.map((r, i) => h("div", { class: "mm-line", "data-item": r.item },
        h("div", { class: "mm-caption" }, h("button", { class: "mm-pick", type: "button", title: "Play from here", onclick: async () => {
          try { if (r.item !== state.item) await choose(r.item); if (r.item !== state.item) return; player.playSpan(r.start, r.end); player.moments([{ start: r.start, end: r.end }]); } catch (e) { error(e.message); }
        } }, h("img", { src: `mmdemo/frame/${r.item}?t=${((r.start + r.end) / 2).toFixed(2)}`, alt: "", loading: "lazy" }), h("span", { class: "mm-text" }, r.file)), h("span", { class: "mm-faint" }, span(r.start, r.end)), mm.answers.likely(r, answer.model)),
        marks(text, { item: r.item, start: r.start, end: r.end, origin: "search", query: text, rank: i + 1, version: answer.model }, { said: r.verdict, known: r.label, then: again }))),
      { all: !all && answer.results.length < 12 ? () => search({ all: true }) : null })].filter(Boolean));
  });
}
$("[data-collection]").onsubmit = (e) => { e.preventDefault(); search(); };

const otherVersion = () => { remember(); if (state.item) choose(state.item).catch((e) => error(e.message)); if (state.view === "search" && $("[data-results]").children.length) search(asked); };

// What a link says, or the first sample and what it is asked.
async function restore(link, first) {
  begun ||= mm.begin("video-text", link, state, otherVersion).then((start) => {
    samples.append(h("option", { value: "" }, "…"), ...start.samples.map((s) => h("option", { value: s.item }, s.name)));
    return start;
  });
  const start = await begun.catch((e) => { begun = null; error(e.message); return null; });
  if (!start) return;
  if (!first) mm.version.choose("video-text", link.version || "");
  if (first && picked) link = { ...link, mode: state.view };  // the view that somebody opened meanwhile stays
  if (link.mode === "search") asked = { all: Boolean(link.all) };
  open(["search", "describe"].includes(link.mode) ? link.mode : "find");
  const said = link.text || (state.view === "search" || link.item ? "" : start.query), field = state.view === "search" ? words : query;
  if (state.view !== "describe" && !(first && field.value)) field.value = said;
  const sample = start.samples[0]?.item, instead = sample ? "the first sample is shown instead" : "nothing is shown instead";
  const there = !link.item || link.item === state.item || await mm.address.itemOf(link.item, "video-text", instead).catch((e) => { error(e.message); return null; });
  const item = (there && link.item) || sample, still = first ? turn.first() : turn();
  if (item && still && item !== state.item) await show(item, still).catch((e) => error(e.message));
  $("[data-subtitles]").checked = Boolean(link.subtitles);
  if (state.view === "describe" && link.done && state.item) describe();
  if (state.view === "find" && query.value && state.item) find();
  if (state.view === "search" && words.value) search(asked);
}
