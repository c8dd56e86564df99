const { h, api, percent, save, upload, live, poll, seconds, clock, fail, into } = mm;
const $ = (selector) => element.querySelector(selector);
const file = $("input[type=file]"), texts = $("[data-panel=align] textarea"), words = $("input[type=search]"), samples = $("[data-samples]");
const state = { mode: "transcribe", item: "", version: "" };
const wave = mm.wave($("[data-wave]"), { onspan: correctSpan, onword: tellWord });
let known = null, heard = null, aligned = null, begun = null, picked = false, asked = {};

const remember = mm.address.keep("speech", element, { restore, state: () => ({
  ...state,
  text: state.mode === "align" ? texts.value.trim() : state.mode === "search" ? words.value.trim() : "",
  ...(state.mode === "search" && mm.answers.wishes(element, asked)),
}) });
function open(mode) {
  state.mode = mode;
  for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === mode);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== mode;
  if (mode === "transcribe") showWords(heard?.words || []);
  else if (mode === "align") showWords(aligned?.words || []);
  remember();
}
for (const tab of element.querySelectorAll("[role=tab]")) tab.onclick = () => { picked = true; open(tab.dataset.view); };
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const needed = (box) => { if (state.item) return true; fail(box, new Error("There is no recording yet. Record one, upload one, or choose a sample.")); return false; };

/* The recording */
const turn = mm.turns(), line = mm.turns();  // of the recordings, and of the words on the time line
async function show(item, autoplay = false, still = turn()) {
  try { await draw(item, autoplay, still); } catch (e) { if (still()) throw e; }
}
async function draw(item, autoplay, still) {
  const found = await mm.patiently(() => api("medium", { item, task: "speech-text" }));
  if (!still()) return;
  known = found;
  state.item = item;
  line();
  heard = aligned = null;
  samples.value = [...samples.options].some((o) => o.value === item) ? item : "";
  if (texts.dataset.given) texts.value = [...new Set([...known.texts.slice(0, 1), ...texts.dataset.given.split("\n")])].slice(0, 3).join("\n");
  $("[data-name]").textContent = `${known.name} · ${known.duration.toFixed(1)} s`;
  mm.brought($(".mm-tools"));
  for (const box of ["[data-scores]", "[data-progress]"]) $(box).replaceChildren();
  for (const box of ["[data-text]", "[data-after]", "[data-colours]", "[data-edit]", "[data-note]"]) $(box).hidden = true;
  for (const box of ["[data-receipt]", "[data-heard]"]) $(box).textContent = "";
  await wave.load(item, known.duration, autoplay);
  const s = await mm.patiently(() => api("transcript", { item, version: state.version }));
  if (!still()) return;
  look(s);
  remember();
}
// Somebody asks for another one: what was said of the one before goes now, and what is said from here on stays.
const choose = (item, autoplay) => { error(""); return show(item, autoplay); };
async function take(blob, name) {
  error("");
  const later = turn.later();
  try {
    const got = await upload(blob, name, "", "speech-text"), still = later();
    if (!still) return;
    await show(got.item, false, still);
    if (state.item !== got.item) return;
    mm.brought($(".mm-tools"), got);
    open("transcribe");
    transcribe();
  } catch (e) { error(e.message); }
}
$("[data-upload]").onclick = () => file.click();
file.onchange = () => { if (file.files[0]) take(file.files[0], file.files[0].name); file.value = ""; };
for (const kind of ["dragover", "dragenter"]) element.addEventListener(kind, (e) => e.preventDefault());
element.addEventListener("drop", (e) => { e.preventDefault(); const f = e.dataTransfer.files[0]; if (f) take(f, f.name); });
samples.onchange = () => { if (samples.value) choose(samples.value, true).catch((e) => error(e.message)); };

/* The microphone: what is said appears while it is being said */
let stopRecording = null;
$("[data-record]").onclick = async () => {
  const button = $("[data-record]"), line = $("[data-live]");
  if (stopRecording) {
    const stop = stopRecording;
    stopRecording = null;
    button.textContent = "Record";
    const wav = await stop();
    line.hidden = true;
    return take(wav, `recording-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.wav`);
  }
  wave.stop();
  let held = [], size = 0, done = "", asking = false, asked = 0;
  const join = () => { const all = new Int16Array(size); let at = 0; for (const p of held) { all.set(p, at); at += p.length; } return all; };
  const listen = async () => {
    asking = true; asked = size;
    const all = join();
    try {
      const found = (await live(all)).words, text = found.map((w) => w.word).join(" ");
      line.textContent = `${done} ${text}`.trim() || "Listening…";
      const settled = found.filter((w) => w.end < all.length / 16000 - 2);
      if (all.length > 12 * 16000) {  // what is settled is kept, and the window starts after it
        const cut = settled.length ? Math.floor(settled.at(-1).end * 16000) : all.length - 2 * 16000;
        done = `${done} ${settled.map((w) => w.word).join(" ")}`.trim();
        const now = join().slice(cut);
        held = [now]; size = now.length; asked = 0;
      }
    } catch { /* the next one tries again; the whole recording is transcribed at its end */ }
    asking = false;
  };
  try {
    stopRecording = await mm.record((part) => { held.push(part); size += part.length; if (!asking && size - asked > 1.5 * 16000 && stopRecording) listen(); });
  } catch {
    return error("The microphone is not available. Allow it in the browser, or upload a recording.");
  }
  error("");
  button.textContent = "Stop";
  line.hidden = false;
  line.textContent = "Listening…";
};

/* Transcribe: the server works behind the page, and the text appears as it comes */
const languageName = (code) => { try { return new Intl.DisplayNames(["en"], { type: "language" }).of(code); } catch { return code; } };
// The word that was clicked: when it is said, and how sure that is.
function tellWord(w) {
  const given = state.mode === "align", from = { kind: given ? "given-word" : "word", task: "speech-text", version: (given ? aligned : heard).model };
  $("[data-heard]").replaceChildren(`“${w.word}” · ${w.start.toFixed(2)} to ${w.end.toFixed(2)} s · `, w.corrected ? "corrected by people" : mm.share(w.probability, from));
}
function showWords(list) { if ((state.mode === "align") === (list === aligned?.words) || !list.length) wave.words(list); }
const JOINS = /^[-.,:;!?%'’)\]…]/;  // how the rest of a word begins, as in mmdemo/store/texts.py
function look(s) {
  heard = s;
  const share = s.duration ? Math.min(1, s.done / s.duration) : 0;
  $("[data-stop]").hidden = !s.running;
  $("[data-transcribe]").disabled = s.running;
  $("[data-transcribe]").textContent = s.complete ? "Transcribed" : s.done ? "Go on" : "Transcribe";
  $("[data-progress]").replaceChildren(...(s.running ? [h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, s.done ? `${seconds(s.done)} of ${seconds(s.duration)}${s.eta_s ? `, ${seconds(s.eta_s)} left` : ""}` : "Listening… the first words wait for the model to load."))] : []));
  if (s.error) error(s.error);
  const box = $("[data-text]");
  box.hidden = !s.words.length && !s.note;
  box.replaceChildren(...(s.note ? [h("p", { class: "mm-note" }, s.note)] : s.words.flatMap((w, i) => [h("button", { type: "button", class: `mm-said ${w.corrected || w.probability >= 0.8 ? "" : w.probability >= 0.5 ? "fair" : "doubtful"}`, "data-said": i, title: `${w.start.toFixed(2)} s, ${percent(w.probability)}`, onclick: () => { wave.playSpan(w.start, w.end); tellWord(w); } }, w.word), JOINS.test(s.words[i + 1]?.word || "") ? "" : " "])));
  if (s.words.length) box.dataset.model = s.model;
  $("[data-after]").hidden = $("[data-colours]").hidden = !s.words.length;
  if (s.complete) $("[data-progress]").replaceChildren(...[
    h("p", { class: "mm-faint" }, [`${s.words.length} words`, s.language && `language ${languageName(s.language)}`, s.model].filter(Boolean).join(" · ")),
    s.language_note && h("p", { class: "mm-note", role: "status", "data-language-note": true }, s.language_note)].filter(Boolean));
  if (state.mode === "transcribe") wave.words(s.words);
}
async function transcribe() {
  if (!state.item) return error("There is no recording yet. Record one, upload one, or choose a sample.");
  error("");
  const { item } = state;
  try { const s = await api("transcript", { item, version: state.version, start: true }); if (item === state.item) look(s); } catch (e) { if (item === state.item) error(e.message); }
  mm.poke();
}
$("[data-transcribe]").onclick = transcribe;
$("[data-stop]").onclick = () => api("transcript_stop", { item: state.item, version: state.version }).catch((e) => error(e.message));
poll(element, 3000, async () => (heard?.running ? [state.item, await api("transcript", { item: state.item, version: state.version })] : null), (got) => {
  if (got && got[0] === state.item) look(got[1]);
  return heard?.running ? 400 : 3000;
});
$("[data-correct]").onclick = () => {
  $("[data-edit]").hidden = false;
  $("[data-edit] textarea").value = known?.confirmed || heard.text;
  $("[data-edit] textarea").focus();
};
$("[data-cancel]").onclick = () => { $("[data-edit]").hidden = true; };
const say = (sent, words) => sent.receipt.then((r) => { $("[data-receipt]").textContent = `Label ${r.label} saved on disk: ${words}`; }, (e) => error(e.message));
$("[data-edit]").onsubmit = (e) => {
  e.preventDefault();
  const text = $("[data-edit] textarea").value.trim();
  if (!text) return error("The text is empty. Write what is said.");
  const sent = save("label_result", { item: state.item, text, verdict: mm.confirms, origin: "transcribe", version: heard.model });
  if (sent.kept) { $("[data-edit]").hidden = true; known.confirmed = text; }
  say(sent, "the transcript");
};
function correctSpan(word) {
  say(save("label_result", { item: state.item, text: word.word, verdict: mm.confirms, origin: "span", start: Number(word.start.toFixed(3)), end: Number(word.end.toFixed(3)), version: heard?.model || "" }), `“${word.word}” from ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s`);
}
for (const button of element.querySelectorAll("[data-format]")) button.onclick = async () => {
  try {
    const got = await api("subtitles", { item: state.item, version: state.version, format: button.dataset.format });
    const end = button.dataset.format === "textgrid" ? "TextGrid" : button.dataset.format;
    mm.saveFile(`${known.name.replace(/\.\w+$/, "")}.${end}`, got.text);
  } catch (e) { error(e.message); }
};

/* Labels on an answer */
const marks = (text, { item, ...how }) => mm.answers.marks(item, text, how);

/* Align */
async function wordsOf(text) {
  const still = line(), found = await api("align_words", { item: state.item, text, version: state.version });
  if (!still()) return;
  aligned = found;
  const note = $("[data-note]");
  note.textContent = aligned.note;
  note.hidden = !aligned.note;
  if (state.mode === "align") wave.words(aligned.words);
}
function align() {
  const box = $("[data-scores]"), list = texts.value.split("\n").filter((t) => t.trim());
  if (!needed(box)) return;
  remember();
  return into(box, () => api("align", { item: state.item, texts: list, version: state.version }), (answer) => {
    const rows = answer.scores.map((s, i) => mm.answers.score(s, i, marks(s.text, { item: state.item, origin: "align", version: answer.model }), answer.model, () => {
      for (const pick of box.querySelectorAll(".mm-pick")) pick.setAttribute("aria-pressed", pick.closest("[data-score]").dataset.score === String(i));
      wordsOf(s.text).catch((e) => fail(box, e));
    }));
    const silent = answer.note && answer.scores.every((s) => s.about === null);  // no number is shown that isn't one
    box.replaceChildren(...[h("div", { class: "mm-legend" }, h("span", {}, "probability that it was said · that it is what is spoken about"), h("span", {}, answer.model)), answer.note && h("p", { class: "mm-note", role: "status", "data-align-note": true }, answer.note), ...(silent ? [] : rows)].filter(Boolean));
    if (silent) return;
    const best = answer.scores.reduce((b, s, i) => (s.probability > answer.scores[b].probability ? i : b), 0);
    rows[best]?.querySelector(".mm-pick").click();
  });
}
$("[data-align]").onclick = align;
texts.oninput = () => { texts.dataset.given = ""; };
texts.onkeydown = (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); align(); } };

/* Search: two probabilities are two questions; the list stands in the order of the one that is named first */
const MEASURED = { said: "probability that it was said", about: "nobody says exactly this; probability that it is what is spoken about" };
function numbers(r, version, measure) {
  if (r.probability === null) return [mm.answers.likely(r, version)];
  const one = (kind, value) => mm.share(value, { kind, version }, { class: "mm-ask" }), likely = () => mm.answers.likely(r, version), all = r.found_by === "words" && measure, sure = (kind) => (all ? likely() : one(kind, r.probability));
  if (all && r.said < 0.5) return ["holds these words ", likely(), " · about it ", one("about", r.about)];
  if (measure === "said") return ["said ", sure("said"), " · about it ", one("about", r.about)];
  return measure === "about" ? ["about it ", sure("about"), " · said ", one("said", r.said)] : [likely()];
}
function search({ by = false, find = "", all = false } = {}) {
  const box = $("[data-results]"), query = by ? "" : words.value.trim();
  asked = { by, find, all };
  if (by ? !needed(box) : !query) return by || fail(box, new Error("There is nothing to look for. Write some words."));
  if (by) words.value = "";
  remember(true);
  const body = { task: "speech-text", k: 12, query, item: by ? state.item : "", version: state.version, ...mm.answers.request(mm.answers.wishes(element, asked)) };
  return into(box, () => api("search", body), (answer) => {
    const note = answer.note && !answer.results.length ? null : mm.answers.note(answer), again = query ? () => { if (words.value.trim() === query) search(asked); } : undefined;
    const more = !all && !(answer.note && !answer.results.length) && answer.results.length < body.k ? () => search({ by, find, all: true }) : null;
    box.replaceChildren(...[h("div", { class: "mm-legend" }, h("span", {}, [body.query ? `“${body.query}”` : "by this recording", MEASURED[answer.measure]].filter(Boolean).join(" · ") + mm.answers.reordered(answer)), h("span", {}, answer.model)),
      mm.answers.told(answer), note,
      ...mm.answers.parts(answer, answer.results.map((r, i) => h("div", { class: "mm-line", "data-item": r.item },
        body.target === "text" ? null : h("button", { class: "mm-play", type: "button", "aria-label": `Play ${r.file}`, onclick: () => mm.playOnce(r.item, r.start) }, "▶"),
        h("div", { class: "mm-caption" }, h("button", { class: "mm-pick", type: "button", title: body.target === "text" ? "Align it" : "Open this recording", onclick: async () => {
          if (body.target === "text") { texts.value = r.text; open("align"); return align(); }
          try { await choose(r.item, r.start === null); } catch (e) { return error(e.message); }
          if (r.item !== state.item) return;
          open("transcribe");
          if (r.start !== null) wave.playSpan(r.start, r.end);
        } }, h("span", { class: "mm-text" }, r.text || r.file)), h("span", { class: "mm-faint" }, ...numbers(r, answer.model, answer.measure), `${r.start === null ? "" : ` · ${clock(r.start)}–${clock(r.end)}`}${body.target === "text" ? "" : ` · ${r.file}`}`)),
        marks(body.query || r.text, { item: body.target === "text" ? state.item : r.item, origin: "search", query: body.query || "", rank: i + 1, version: answer.model, said: r.verdict, known: r.label, then: again }))), { all: more })].filter(Boolean));
  });
}
$("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
$("[data-texts]").onclick = () => search({ by: true, find: "text" });
$("[data-similar]").onclick = () => search({ by: true });

const otherVersion = () => { remember(); if (state.item) choose(state.item).catch((e) => error(e.message)); if (state.mode === "search" && $("[data-results]").children.length) search(asked); };

// What a link says, or the first sample.
async function restore(link, first) {
  begun ||= mm.begin("speech-text", link, state, otherVersion).then((start) => {
    samples.append(h("option", { value: "" }, "…"), ...start.samples.map((s) => h("option", { value: s.item }, s.texts[0] || s.name)));
    return start;
  });
  const start = await begun.catch((e) => { begun = null; error(e.message); return null; });
  if (!start) return;
  if (!first) mm.version.choose("speech-text", link.version || "");
  const given = link.mode === "align" && link.text, sought = (link.mode === "search" && link.text) || "";
  if (given && !(first && texts.value)) { texts.value = given; texts.dataset.given = ""; }
  if (!texts.value) texts.dataset.given = texts.value = start.samples.slice(0, 3).flatMap((s) => s.texts.slice(0, 1)).join("\n");  // the sample's own comes first, until somebody writes
  if (link.mode === "search" && !(first && words.value)) words.value = sought;
  const sample = start.samples[0]?.item, instead = sample ? "the first sample is shown instead" : "nothing is shown instead";
  const there = !link.item || link.item === state.item || await mm.address.itemOf(link.item, "speech-text", instead).catch((e) => { error(e.message); return null; });
  const item = (there && link.item) || sample;
  if (first && picked) link = { ...link, mode: state.mode };  // the view that somebody opened meanwhile stays
  if (link.mode === "search") asked = { by: Boolean(link.by), find: link.find === "text" ? "text" : "", all: Boolean(link.all) };
  open(["transcribe", "align", "search"].includes(link.mode) ? link.mode : "transcribe");
  const still = first ? turn.first() : turn();
  if (item && still && item !== state.item) await show(item, false, still).catch((e) => error(e.message));
  if (state.mode === "align" && given) align();
  if (state.mode === "search" && (sought || (link.by && state.item))) search(asked);
}
