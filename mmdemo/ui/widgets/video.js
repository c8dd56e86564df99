const { h, api, upload, save, poll, seconds, fail, into } = mm;
const $ = (selector) => element.querySelector(selector);
const state = { view: "find", item: "", version: "" }, samples = $("[data-samples]");
const query = $("[data-find] input"), words = $("[data-collection] input"), player = mm.player($("[data-player]"), { onspan: (m, i) => { const line = $(`[data-moments] [data-moment="${i}"]`); if (line) line.correct(m); } });
const OPENING = { doing: tr`Opening the video`, shape: "title" };
let known = null, looked = null, described = null, begun = null, picked = false, subtitles = "", asked = {}, stopped = false;

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
for (const tab of element.querySelectorAll("[role=tab]")) tab.onclick = () => { picked = true; open(tab.dataset.view); if (state.view === "describe" && looked?.complete && !described) describe(); };
mm.keysOf(element, (e) => player.keys(e));

/* The video: the server looks through it behind the page, and the shots appear */
const turn = mm.turns();
async function show(item, still = turn()) {
  try { await draw(item, still); } catch (e) { if (still()) throw e; }
}
async function draw(item, still) {
  const found = await mm.awaited($("[data-progress]"), OPENING, () => api("medium", { item, task: "video-text" }), still);
  if (!still()) return;
  known = found;
  state.item = item;
  looked = null; described = null; stopped = false;
  mm.brought($("[data-kept-of]"));
  player.load(item, known.duration);
  player.subtitles("");
  $("[data-name]").textContent = `${known.name}, ${mm.clock(known.duration, 0)}`;
  samples.value = [...samples.options].some((o) => o.value === item) ? item : "";
  for (const box of ["[data-moments]", "[data-captions]", "[data-receipt]"]) $(box).replaceChildren();
  $("[data-summary]").textContent = tr`What does it show?`;
  $("[data-after]").hidden = true;
  $("[data-describe]").hidden = false;
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
  stopped = false;
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
    s.running && h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, tr`Looking through it: ${seconds(s.done)} of ${seconds(known.duration)}${s.eta_s ? tr`, ${seconds(s.eta_s)} left` : ""} `, h("button", { class: "mm-link", type: "button", onclick: () => { stopped = true; api("watch_stop", { item: state.item }).catch((e) => error(e.message)); } }, tr`Stop`))),
    !s.running && !s.complete && !s.error && h("p", { class: "mm-note" }, s.estimate_s ? tr`Looking through ${seconds(known.duration)} of video takes about ${seconds(s.estimate_s)} here. Until then a few key frames answer. ` : tr`Stopped; it goes on from there. `,
      h("button", { class: "mm-link", type: "button", "data-agree": true, onclick: agree }, s.estimate_s ? tr`Look through it` : tr`Go on`)),
    s.damaged?.length && h("p", { class: "mm-note" }, tr`This file is damaged ${s.damaged.slice(0, 3).map(([a, b]) => tr`from ${player.text(a)} to ${player.text(b)}`).join(tr`, `)}${s.damaged.length > 3 ? tr` and in ${s.damaged.length - 3} more places` : ""}. What can be read was used.`),
    s.complete && h("p", { class: "mm-fine" }, tr`Whole video looked through, ${s.shots.length > 1 ? tr`all ${s.shots.length} shots` : tr`one shot`}.${s.hearing ? tr` Listening to what is said…` : s.said.length ? tr` ${mm.many(s.said.length, "sentence")} heard.` : ""}`)].filter(Boolean));
  if (s.error) error(s.error);
  if (before && !before.complete && s.complete && query.value.trim() && state.view === "find") find();
  if (before?.hearing && !s.hearing && s.said.length && query.value.trim() && state.view === "find") find();
}
poll(element, 3000, async () => (looked && (looked.running || looked.hearing) ? [state.item, await api("watching", { item: state.item, version: state.version })] : null), (got) => {
  if (got && got[0] === state.item) {
    const was = looked.running && !stopped;
    drawState({ ...looked, ...got[1] });
    if (was && !looked.running && !looked.complete && !looked.error) agree();  // the server was stopped meanwhile
  }
  return looked && (looked.running || looked.hearing) ? 500 : 3000;
});
async function take(file) {
  error("");
  const later = turn.later();
  try {
    const got = await upload(file, file.name, "", "video-text"), still = later();
    if (!still) return;
    await show(got.item, still);
    if (state.item === got.item) mm.brought($("[data-kept-of]"), got);
  } catch (e) { error(e.message); }
}
const input = $("input[type=file]"), drop = $(".mm-drop");
$("[data-upload]").prepend(mm.icon("upload"));
$("[data-upload]").onclick = () => input.click();
input.onchange = () => { if (input.files[0]) take(input.files[0]); input.value = ""; };
drop.ondragover = (e) => { e.preventDefault(); drop.classList.add("over"); };
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = (e) => { e.preventDefault(); drop.classList.remove("over"); if (e.dataTransfer.files[0] && !mm.lead(e, "video-text")) take(e.dataTransfer.files[0]); };
mm.receive("video-text", take);
samples.onchange = () => { if (samples.value) choose(samples.value).catch((e) => error(e.message)); };
const needed = (box) => state.item || (fail(box, new Error(tr`There is no video yet. Upload one, or choose a sample.`)), false);

/* Labels on an answer */
function marks(text, how, { said, known, then } = {}) {
  return mm.answers.taken(text, { said, known, then }, (verdict) => save("label_span", { ...how, text, verdict }),  // how: as it is when it is pressed
    (receipt) => { $("[data-receipt]").textContent = receipt; }, (x) => error(x.message));
}
const span = (a, b) => tr`${player.text(a)} to ${player.text(b)}`;

/* What is said of a stretch: its picture, what it is, how sure that is, and its marks. `title` opens it. */
function row({ item, start, end, title, quote = "", zone = "", number, bar = null, below = null, marked, press, ...more }) {
  const where = h("span", { class: "mm-small" }, span(start, end));
  const line = h("div", { class: "mm-line", ...more },
    h("span", { class: "mm-frame" }, h("img", { src: `mmdemo/frame/${item}?t=${((start + end) / 2).toFixed(2)}`, alt: "", loading: "lazy" })),
    h("div", { class: "mm-caption", "data-is": IN_WORDS[zone] || "" },
      h("span", { class: "mm-row" }, h("button", { class: "mm-pick", type: "button", title: tr`Play from here`, onclick: () => {
        for (const other of line.parentNode.querySelectorAll(".mm-line")) other.classList.toggle("on", other === line);
        press();
      } }, title), number ? h("span", { class: "mm-says" }, number) : null),
      quote ? h("span", { class: "mm-text" }, quote) : null, where, bar, below),
    marked);
  return { line, where };
}

/* Find */
const zoneOf = (m, zones) => (m.found_by === "words" ? "fits" : !zones || m.probability === null ? "" : m.probability >= zones.fits ? "fits" : m.probability <= zones.does_not ? tr`doesn't fit` : tr`can't tell`);
const times = (n, word) => (n === 1 ? tr`${word} once` : n === 2 ? tr`${word} twice` : tr`${word} ${n} times`);
function headline({ moments, zones, no_match: none, complete }) {
  const all = moments.map((m) => [m, zoneOf(m, zones)]), count = (by) => all.filter(([m, zone]) => m.found_by === by && zone === "fits").length;
  const parts = [[count("pictures"), tr`Shown`.toLowerCase()], [count("words"), tr`Said`.toLowerCase()]].filter(([n]) => n).map(([n, word]) => times(n, word));
  if (!complete) return tr`A first look at a few key frames`;
  if (parts.length) return parts.join(tr`, `).replace(/^./, (c) => c.toUpperCase());
  if (!zones) return moments.length ? tr`The moments that come nearest` : tr`No good match in this video`;
  const perhaps = none ? 0 : all.filter(([, zone]) => zone === "can't tell").length;
  return perhaps ? tr`Perhaps ${times(perhaps, tr`Shown`.toLowerCase())}` : tr`No good match in this video`;
}
function momentRow(m, i, text, { model, zones }) {
  const how = { item: state.item, start: m.start, end: m.end, origin: "moment", query: text, rank: i + 1, version: model };
  const zone = zoneOf(m, zones), byWords = m.found_by === "words";  // between the limits its percent still tells moments apart
  // that it is said is no matter of the model of pictures
  const word = byWords ? "" : zone === "can't tell" ? tr`perhaps ` : zone && `${tr.told(zone)} `;
  const number = m.probability === null ? mm.answers.likely(m, model) : [word, mm.share(m.probability, { kind: byWords ? "heard" : "fits", task: "video-text", version: model }), byWords ? tr` of the words` : ""];
  let marked = marks(text, how);
  const made = row({ item: state.item, start: m.start, end: m.end, title: byWords ? tr`Said` : tr`Shown`, quote: byWords && `“${m.text}”`, zone, number: h("span", {}, number), bar: !byWords && m.probability !== null ? scale(zone, m.probability, zones) : null, marked, "data-moment": i, press: () => player.playSpan(how.start, how.end) });
  // the ends were dragged on the time line: a label is on the corrected span
  made.line.correct = (moved) => {
    how.start = moved.start; how.end = moved.end; made.where.textContent = tr`${span(moved.start, moved.end)} · corrected`;
    for (const node of made.line.querySelectorAll(".mm-says, .mm-scale")) node.remove();
    const fresh = marks(text, how);  // nothing was said of the corrected one yet
    marked.replaceWith(fresh); marked = fresh;
  };
  return made.line;
}
function find() {
  const box = $("[data-moments]"), text = query.value.trim();
  if (!needed(box)) return;
  if (!text) return fail(box, new Error(tr`There is nothing to look for. Write some words.`));
  remember(true);
  return into(box, () => api("find_moments", { item: state.item, query: text, version: state.version }), (answer) => {
    player.curve(answer.curve);
    player.moments(answer.moments);
    if (answer.complete) player.shots(answer.shots);
    const rows = answer.moments.map((m, i) => momentRow(m, i, text, answer)), zones = answer.moments.map((m) => zoneOf(m, answer.zones));
    const any = zones.some((z) => z !== "doesn't fit"), weak = (i) => any && zones[i] === "doesn't fit";
    const best = rows.filter((_, i) => !weak(i)), weaker = rows.filter((_, i) => weak(i));
    box.replaceChildren(...[
      h("h1", { "aria-live": "polite" }, headline(answer)),
      h("p", { class: "mm-small" }, !answer.complete ? tr`The whole video follows.` : any ? tr`Click a moment to go there; drag its ends on the time line to correct it.` : answer.moments.length ? tr`These come nearest.` : ""),
      mm.answers.told(answer), h("div", { class: "mm-rows" }, best),
      weaker.length ? h("details", { class: "mm-fold" }, h("summary", {}, mm.icon("right"), h("b", {}, mm.many(weaker.length, "weaker moment")), h("span", { class: "mm-small" }, tr`probably not ${text}`)), h("div", { class: "mm-rows" }, weaker)) : null].filter(Boolean));
    const first = answer.moments[0];
    rows[0]?.classList.add("on");
    if (first) player.seek(first.start + 0.01);
  }, { doing: tr`Looking for it in the video`, shape: "list" });
}
$("[data-find]").onsubmit = (e) => { e.preventDefault(); find(); };

/* Describe */
function describe() {
  const box = $("[data-captions]");
  if (!needed(box)) return;
  return into(box, () => api("describe_video", { item: state.item, version: state.version }), (answer) => {
    described = answer;
    $("[data-summary]").textContent = answer.summary || tr`It is sure of no shot`;
    $("[data-describe]").hidden = true;
    $("[data-after]").hidden = !answer.chapters;
    if (subtitles) URL.revokeObjectURL(subtitles);
    subtitles = URL.createObjectURL(new Blob([answer.vtt], { type: "text/vtt" }));
    shown();
    remember();
    if (answer.note) return box.replaceChildren(h("p", { class: "mm-note", role: "status" }, answer.note));
    box.replaceChildren(h("div", { class: "mm-rows" }, answer.captions.map((c, i) => row({ item: state.item, start: c.start, end: c.end, title: h("span", { class: "mm-text" }, c.text), zone: c.sure === "sure" ? "fits" : "",
      number: c.source === "confirmed" ? tr`its label` : [`${tr.told(c.sure)} `, mm.share(c.score, { task: "video-text", version: answer.model, kind: "caption", of: c.source }, { class: "mm-ask" })], below: mm.answers.agreed(c, "video-text") || null, press: () => player.playSpan(c.start, c.end),
      marked: marks(c.text, { item: state.item, start: c.start, end: c.end, origin: "caption", rank: i + 1, version: answer.model, claimed: c.judged === null ? null : c.score }) }).line)));
  }, { doing: tr`Describing the shots`, shape: "list" });
}
const shown = () => player.subtitles($("[data-subtitles]").checked ? subtitles : "");
$("[data-subtitles]").onchange = () => { shown(); remember(); };
$("[data-describe]").onclick = describe;
mm.menu($("[data-download]"), tr`Download the descriptions`, (box, item) => box.replaceChildren(...Object.entries({ vtt: [tr`Subtitles`, tr`VTT, what it is sure of`], chapters: [tr`Chapters`, tr`a line each, as video sites read them`] }).map(([format, [name, how]]) =>
  item(() => mm.saveFile(`${known.name.replace(/\.\w+$/, "")}.${format === "vtt" ? "vtt" : "chapters.txt"}`, described[format]), h("span", {}, h("b", {}, name), h("span", { class: "mm-fine" }, how))))));
$("[data-download]").prepend(mm.icon("download"));
$("[data-download]").append(mm.icon("down"));

/* Search the collection */
function search({ all = false } = {}) {
  const box = $("[data-results]"), text = words.value.trim();
  asked = { all };
  if (!text) return fail(box, new Error(tr`There is nothing to look for. Write some words.`));
  remember(true);
  return into(box, () => api("search", { task: "video-text", k: 12, query: text, everything: all, version: state.version }), (answer) => {
    const again = () => { if (words.value.trim() === text) search(asked); }, good = answer.results.filter((r) => r.fit === "best").length;
    const play = async (r) => {
      try { if (r.item !== state.item) await choose(r.item); if (r.item !== state.item) return; player.playSpan(r.start, r.end); player.moments([{ start: r.start, end: r.end }]); } catch (e) { error(e.message); }
    };
    box.replaceChildren(...[h("h1", { "aria-live": "polite" }, answer.no_match || !good ? tr`No good match` : mm.many(good, "good match", "good matches")), h("p", { class: "mm-small mm-legend" }, `“${text}”${mm.answers.reordered(answer)}`), mm.answers.told(answer),
      h("div", { class: "mm-rows" }, mm.answers.parts(answer, answer.results.map((r, i) => row({ item: r.item, start: r.start, end: r.end, title: r.file, zone: r.fit === "best" ? "fits" : "", number: mm.answers.likely(r, answer.model), press: () => play(r), "data-item": r.item,
        marked: marks(text, { item: r.item, start: r.start, end: r.end, origin: "search", query: text, rank: i + 1, version: answer.model }, { said: r.verdict, known: r.label, then: again }) }).line),
      { all: !all && answer.results.length < 12 ? () => search({ all: true }) : null }))].filter(Boolean));
  }, { doing: tr`Searching the videos`, shape: "list" });
}
$("[data-collection]").onsubmit = (e) => { e.preventDefault(); search(); };

const otherVersion = () => { remember(); if (state.item) choose(state.item).catch((e) => error(e.message)); if (state.view === "search" && $("[data-results]").children.length) search(asked); };

// What a link says, or the first sample and what it is asked.
async function restore(link, first) {
  begun ||= mm.begin("video-text", link, state, otherVersion).then((start) => {
    samples.append(h("option", { value: "" }, "…"), ...start.samples.map((s) => h("option", { value: s.item }, s.name)));
    return start;
  });
  const asks = ["search", "describe"].includes(link.mode) ? link.mode : "find";
  if (first && !picked) open(asks);
  const waiting = mm.waits($({ search: "[data-results]", describe: "[data-captions]", find: "[data-moments]" }[asks]), { ...OPENING, shape: "list" });
  const start = await begun.catch((e) => { begun = null; error(e.message); return null; });
  waiting.over();
  if (!start) return;
  if (!first) mm.version.choose("video-text", link.version || "");
  if (first && picked) link = { ...link, mode: state.view };  // the view that somebody opened meanwhile stays
  if (link.mode === "search") asked = { all: Boolean(link.all) };
  open(["search", "describe"].includes(link.mode) ? link.mode : "find");
  const said = link.text || (state.view === "search" || link.item ? "" : start.query), field = state.view === "search" ? words : query;
  if (state.view !== "describe" && !(first && field.value)) field.value = said;
  const sample = start.samples[0]?.item, instead = sample ? tr`the first sample is shown instead` : tr`nothing is shown instead`;
  const there = !link.item || link.item === state.item || await mm.address.itemOf(link.item, "video-text", instead).catch((e) => { error(e.message); return null; });
  const item = (there && link.item) || sample, still = first ? turn.first() : turn();
  if (item && still && item !== state.item) await show(item, still).catch((e) => error(e.message));
  $("[data-subtitles]").checked = Boolean(link.subtitles);
  if (state.view === "describe" && link.done && state.item) describe();
  if (state.view === "find" && query.value && state.item) find();
  if (state.view === "search" && words.value) search(asked);
}
