const { h, api, percent, save, upload, live, poll, seconds, clock, fail, into } = mm;
const $ = (selector) => element.querySelector(selector);
const file = $("input[type=file]"), texts = $(".mm-add textarea"), another = $(".mm-add input"), words = $("input[type=search]"), samples = $("[data-samples]");
const state = { mode: "listen", item: "", version: "" };
const wave = mm.wave($("[data-wave]"), { onspan: correctSpan, onword: (w, i) => openWord(w, i), hint: h("span", { class: "mm-fine mm-keyhint" }, h("kbd", {}, tr`space`), tr` play · drag a word’s border to correct when it is said`) });
const OPENING = { doing: tr`Opening the recording` };
const SHORT_S = 60;  // so long a recording is written down unasked
let known = null, heard = null, aligned = null, chosen = -1, wanted = "", begun = null, picked = false, asked = {};
mm.keysOf(element, wave.keys);
element.addEventListener("keydown", (e) => { if (e.key === "Escape") $("[data-fix]").hidden = true; });

const remember = mm.address.keep("speech", element, { restore, state: () => ({
  ...state,
  mode: state.mode === "search" ? "search" : "",
  text: state.mode === "search" ? words.value.trim() : texts.dataset.given ? "" : texts.value.trim(),
  ...(state.mode === "search" && mm.answers.wishes(element, asked)),
}) });
function open(mode) {
  state.mode = mode;
  for (const tab of element.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", tab.dataset.view === mode);
  for (const panel of element.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== mode;
  remember();
}
for (const tab of element.querySelectorAll("[role=tab]")) tab.onclick = () => { picked = true; open(tab.dataset.view); };
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const needed = (box) => { if (state.item) return true; fail(box, new Error(tr`There is no recording yet. Record one, upload one, or choose a sample.`)); return false; };

/* The recording */
const turn = mm.turns(), line = mm.turns();  // of the recordings, and of the words on the time line
async function show(item, autoplay = false, still = turn()) {
  try { await draw(item, autoplay, still); } catch (e) { if (still()) throw e; }
}
async function draw(item, autoplay, still) {
  const found = await mm.awaited($("[data-progress]"), OPENING, () => api("medium", { item, task: "speech-text" }), still);
  if (!still()) return;
  known = found;
  state.item = item;
  line();
  heard = aligned = null;
  chosen = -1;
  sampled();
  const given = texts.dataset.given;
  if (given) texts.value = [...new Set([...known.texts.slice(0, 1), ...given.split("\n")])].slice(0, 3).join("\n");
  $("[data-name]").textContent = tr`${known.name} · ${known.duration.toFixed(1)} s`;
  mm.brought($("[data-kept-of]"));
  for (const box of ["[data-scores]", "[data-progress]", "[data-about]", "[data-receipt]"]) $(box).replaceChildren();
  for (const box of ["[data-text]", "[data-after]", "[data-colours]", "[data-edit]", "[data-fix]", "[data-download]"]) $(box).hidden = true;
  receipts.clear();
  await wave.load(item, known.duration, autoplay);
  const s = await mm.patiently(() => api("transcript", { item, version: state.version }));
  if (!still()) return;
  look(s);
  if (!s.complete && !s.running && known.duration <= SHORT_S) transcribe();
  if (lines.list().length) align();
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
    mm.brought($("[data-kept-of]"), got);
    open("listen");
    if (!heard?.running && !heard?.complete) transcribe();
  } catch (e) { error(e.message); }
}
$("[data-upload]").prepend(mm.icon("upload"));
$("[data-upload]").onclick = () => file.click();
file.onchange = () => { if (file.files[0]) take(file.files[0], file.files[0].name); file.value = ""; };
for (const kind of ["dragover", "dragenter"]) element.addEventListener(kind, (e) => e.preventDefault());
element.addEventListener("drop", (e) => { e.preventDefault(); const f = e.dataTransfer.files[0]; if (f && !mm.lead(e, "speech-text")) take(f, f.name); });
mm.receive("speech-text", (f) => take(f, f.name));
samples.onchange = () => { if (samples.value) choose(samples.value, true).catch((e) => error(e.message)); };
// The first samples are chips where there is room; all stand in the list.
const CHIPS = 3;
function offer(found) {
  const title = (s) => s.texts[0] || s.name;
  samples.append(h("option", { value: "" }, `${mm.many(found.length, "sample")}…`), ...found.map((s) => h("option", { value: s.item }, title(s))));
  $("[data-chips]").append(...found.slice(0, CHIPS).map((s) => h("button", { class: "mm-chip", type: "button", "data-item": s.item, "aria-pressed": "false", title: title(s), onclick: () => choose(s.item, true).catch((e) => error(e.message)) }, title(s))));
}
function sampled() {
  const chips = [...$("[data-chips]").children], narrow = !$("[data-chips]").offsetParent;
  for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.item === state.item));
  const listed = [...samples.options].some((o) => o.value === state.item) && (narrow || !chips.some((c) => c.dataset.item === state.item));
  samples.value = listed ? state.item : "";
}

/* The microphone: what is said appears while it is being said */
let stopRecording = null;
$("[data-record]").onclick = async () => {
  const button = $("[data-record]"), line = $("[data-live]");
  if (stopRecording) {
    const stop = stopRecording;
    stopRecording = null;
    button.textContent = tr`Record`;
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
      line.textContent = `${done} ${text}`.trim() || tr`Listening…`;
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
    return error(tr`The microphone is not available. Allow it in the browser, or upload a recording.`);
  }
  error("");
  button.textContent = tr`Stop`;
  line.hidden = false;
  line.textContent = tr`Listening…`;
};

/* What was said: the server works behind the page, and the text appears as it comes */
const languageName = (code) => { try { return new Intl.DisplayNames([tr.code], { type: "language" }).of(code); } catch { return code; } };
const JOINS = /^[-.,:;!?%'’)\]…]/;  // how the rest of a word begins, as in mmdemo/store/texts.py
const SURE = 0.8, LIKELY_WRONG = 0.5;  // of a word
const doubt = (w) => (w.corrected || w.probability >= SURE ? "" : w.probability >= LIKELY_WRONG ? "fair" : "doubtful");
const joined = (list) => list.map((w, i) => w.word + (i + 1 < list.length && !JOINS.test(list[i + 1].word) ? " " : "")).join("");
const whole = () => (heard.words.some((w) => w.corrected) ? joined(heard.words) : heard.text);
function look(s) {
  heard = s;
  if (s.complete || s.error) wanted = "";
  const share = s.duration ? Math.min(1, s.done / s.duration) : 0;
  $("[data-stop]").hidden = !s.running;
  $("[data-transcribe]").hidden = s.running || s.complete;
  $("[data-transcribe]").textContent = s.done ? tr`Go on` : tr`Write down what is said`;
  $("[data-progress]").replaceChildren(...(s.running ? [h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, s.done ? tr`${seconds(s.done)} of ${seconds(s.duration)}${s.eta_s ? tr`, ${seconds(s.eta_s)} left` : ""}` : tr`Listening…`))]
    : s.language_note ? [h("p", { class: "mm-note", role: "status", "data-language-note": true }, s.language_note)] : []));
  if (s.error) error(s.error);
  drawText();
  $("[data-about]").textContent = s.complete && s.words.length ? [mm.many(s.words.length, "word"), s.language && languageName(s.language)].filter(Boolean).join(tr`, `) : "";
}
function drawText() {
  const box = $("[data-text]"), { words: said, note } = heard;
  box.hidden = !said.length && !note;
  box.replaceChildren(...(note ? [h("span", { class: "mm-note" }, note)] : said.flatMap((w, i) => [h("button", { type: "button", class: `mm-said ${doubt(w)}`, "data-said": i, title: `${w.start.toFixed(2)} s, ${percent(w.probability)}`, onclick: () => { if (chosen >= 0) press(-1); wave.playSpan(w.start, w.end); openWord(w, i); } }, w.word), JOINS.test(said[i + 1]?.word || "") ? "" : " "])));
  if (said.length) box.dataset.model = heard.model;
  $("[data-after]").hidden = $("[data-download]").hidden = !said.length;
  $("[data-colours]").hidden = !said.some(doubt);
  $("[data-correct-all]").setAttribute("aria-pressed", String(Boolean(known?.confirmed) && known.confirmed === whole()));
  if (chosen < 0) wave.words(said);
}
async function transcribe() {
  if (!state.item) return error(tr`There is no recording yet. Record one, upload one, or choose a sample.`);
  const { item } = state;
  wanted = item;
  try { const s = await mm.patiently(() => api("transcript", { item, version: state.version, start: true })); if (item === state.item) look(s); } catch (e) { if (item === state.item) error(e.message); }
  mm.poke();
}
$("[data-transcribe]").onclick = () => { error(""); return transcribe(); };
$("[data-stop]").onclick = () => { wanted = ""; api("transcript_stop", { item: state.item, version: state.version }).catch((e) => error(e.message)); };
poll(element, 3000, async () => (heard?.running ? [state.item, await api("transcript", { item: state.item, version: state.version })] : null), (got) => {
  if (got && got[0] === state.item) {
    look(got[1]);
    if (wanted === state.item && !got[1].running) transcribe();  // the server was stopped meanwhile
  }
  return heard?.running ? 400 : 3000;
});
mm.menu($("[data-download]"), tr`Download the transcript`, (box, item) => box.replaceChildren(...Object.entries({
  srt: [tr`Subtitles`, tr`SRT, for most players`], vtt: [tr`Subtitles for the web`, "VTT"], txt: [tr`Plain text`, "TXT"], json: [tr`Each word with its time`, "JSON"], textgrid: [tr`For Praat`, "TextGrid"],
}).map(([format, [name, how]]) => item(() => download(format), h("span", {}, h("b", {}, name), h("span", { class: "mm-fine" }, how))))));
$("[data-download]").prepend(mm.icon("download"));
$("[data-download]").append(mm.icon("down"));
async function download(format) {
  try {
    const got = await api("subtitles", { item: state.item, version: state.version, format });
    mm.saveFile(`${known.name.replace(/\.\w+$/, "")}.${format === "textgrid" ? "TextGrid" : format}`, got.text);
  } catch (e) { error(e.message); }
}

/* Corrections: of a word, of when it is said, of the whole */
// The receipt may come minutes later: `undone` changes what is shown of the recording that was corrected, and of no other.
function say(sent, what, undone = () => {}) {
  const { item } = state, shown = () => item === state.item;
  const failed = (e) => (shown() ? error(e.message) : mm.toast(e.message, true));
  const back = () => {
    mm.outbox.takeBack(sent).receipt.catch(failed);
    if (shown()) { $("[data-receipt]").textContent = ""; undone(); }
  };
  return sent.receipt.then((r) => {
    const told = tr`Label ${r.label} saved on disk: ${what}`;
    if (!shown()) return mm.saved(told, back);
    $("[data-receipt]").replaceChildren(`${told} · `, h("button", { class: "mm-link", type: "button", onclick: back }, tr`Undo`));
  }, (e) => {  // it is not stored: it is not shown as made
    if (shown()) undone();
    failed(e);
  });
}
const TAIL = /[.,:;!?…]+$/, bare = (word) => word.replace(TAIL, "").toLowerCase();
// What stands in the place of a word in the texts beside: what may have been said instead.
function instead(i) {
  const said = heard.words.map((w) => bare(w.word)), found = new Set();
  for (const text of lines.list()) {
    const other = text.split(/\s+/);
    other.forEach((word, k) => {
      const same = (a, b) => (a === undefined ? b === undefined : b !== undefined && a === bare(b));
      if (bare(word) !== said[i] && same(said[i - 1], other[k - 1]) && same(said[i + 1], other[k + 1])) found.add(word.replace(TAIL, ""));
    });
  }
  return [...found].slice(0, 4);
}
// A word that was clicked: when it is said, how sure that is, and another word in its place.
function openWord(w, i) {
  const given = chosen >= 0, from = { kind: given ? "given-word" : "word", task: "speech-text", version: (given ? aligned : heard).model }, box = $("[data-fix]");
  const close = () => { box.hidden = true; $(`[data-said="${i}"]`)?.focus(); };
  const shut = h("button", { class: "mm-shut", type: "button", "aria-label": tr`Close`, onclick: close }, mm.icon("bad"));
  const told = h("span", { "data-heard": "", role: "status" }, given ? "" : tr`Heard `, h("span", { class: "mm-text" }, `“${w.word}”`), tr` from ${w.start.toFixed(2)} to ${w.end.toFixed(2)} s · `, w.corrected ? tr`corrected by people` : [mm.share(w.probability, from), tr` sure`]);
  const field = h("input", { type: "text", "aria-label": tr`Another word`, placeholder: tr`type…`, autocomplete: "off" });
  const send = (word) => { if (word.trim()) { correctWord(i, word.trim()); close(); } };
  const form = given ? null : h("form", { class: "mm-row", onsubmit: (e) => { e.preventDefault(); send(field.value); } }, h("span", { class: "mm-fine" }, tr`Should be`),
    instead(i).map((word) => h("button", { class: "mm-chip", type: "button", onclick: () => send(word) }, word)), field);
  box.replaceChildren(h("div", { class: "mm-row" }, told, shut), ...[form].filter(Boolean));
  box.hidden = false;
}
function correctWord(i, word) {
  const was = heard.words[i], next = { ...was, word: TAIL.test(word) ? word : word + (was.word.match(TAIL)?.[0] || ""), corrected: true };
  const sent = save("label_result", { item: state.item, text: next.word, verdict: mm.confirms, origin: "span", start: was.start, end: was.end, version: heard.model });
  if (!sent.kept) return say(sent, "");
  const { model } = heard;
  const put = (w, before) => { if (heard?.model === model && heard.words[i]?.word === before.word) { heard.words[i] = w; drawText(); } };  // unless it was corrected again
  put(next, was);
  say(sent, tr`“${was.word}” is “${next.word}”`, () => put(was, next));
}
function correctSpan(word) {
  say(save("label_result", { item: state.item, text: word.word, verdict: mm.confirms, origin: "span", start: Number(word.start.toFixed(3)), end: Number(word.end.toFixed(3)), version: heard?.model || "" }), tr`“${word.word}” from ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s`);
}
function confirmWhole(text) {
  const was = known.confirmed, sent = save("label_result", { item: state.item, text, verdict: mm.confirms, origin: "transcribe", version: heard.model });
  if (sent.kept) { known.confirmed = text; $("[data-edit]").hidden = true; drawText(); }
  say(sent, tr`the transcript`, () => { if (known.confirmed === text) { known.confirmed = was; drawText(); } });
}
$("[data-correct-all]").prepend(mm.icon("good"));
$("[data-correct]").prepend(mm.icon("edit"));
$("[data-correct-all]").onclick = (e) => { if (e.currentTarget.getAttribute("aria-pressed") !== "true") confirmWhole(whole()); };
$("[data-correct]").onclick = () => {
  $("[data-edit]").hidden = false;
  $("[data-edit] textarea").value = known?.confirmed || whole();
  $("[data-edit] textarea").focus();
};
$("[data-cancel]").onclick = () => { $("[data-edit]").hidden = true; };
$("[data-edit]").onsubmit = (e) => {
  e.preventDefault();
  const text = $("[data-edit] textarea").value.trim();
  if (text) confirmWhole(text); else error(tr`The text is empty. Write what is said.`);
};

/* Which text was said */
const marks = (text, { item, ...how }) => mm.answers.marks(item, text, how);
const receipts = receiptsOf(element, () => state.item);
const ask = (words) => { if ($("[data-answer]").textContent !== words) $("[data-answer]").textContent = words; };
const lines = textList(texts, another, { box: $("[data-scores]"), lines: $("[data-lines]"), check: () => align(), edited: remember, rewritten: () => { if (chosen >= 0) press(-1); }, emptied: () => { ask(tr`Which text was said?`); remember(); } });
// The words of a text on the waveform; pressed again, those that were heard.
async function press(i) {
  chosen = i;
  $("[data-fix]").hidden = true;
  for (const row of element.querySelectorAll("[data-score]")) row.querySelector(".mm-pick")?.setAttribute("aria-pressed", String(Number(row.dataset.score) === i));
  const still = line();
  if (i < 0) return wave.words(heard?.words || []);
  try {
    const found = await api("align_words", { item: state.item, text: element.querySelector(`[data-score="${i}"]`).dataset.words, version: state.version });
    if (!still()) return;
    aligned = found;
    wave.words(found.words);
    strike(i, found);
  } catch (e) { if (still()) error(e.message); }
}
// Words of a text that were not heard are struck out in it, and what that is is told.
function strike(i, { words: all, note }) {
  const row = element.querySelector(`[data-score="${i}"]`), said = all.filter((w) => w.said !== false).length;
  if (!row || row.querySelector("textarea")) return;
  if (said) row.querySelector(".mm-text").replaceChildren(...all.flatMap((w, k) => [k ? " " : "", w.said === false ? h("s", {}, w.word) : w.word]));
  if (note) row.querySelector("[data-why]").textContent = note;
}
function align() {
  const box = $("[data-scores]"), list = lines.list();
  if (!needed(box)) return;
  remember();
  if (chosen >= 0) press(-1);
  if (!box.querySelector("[data-score]")) box.replaceChildren(waitingRows(list));
  const { item } = state;
  return into(box, () => api("align", { item, texts: list, version: state.version }), (answer) => {
    if (item !== state.item) return;
    if (texts.hidden) texts.value = answer.scores.map((s) => s.text).join("\n");  // equal texts are one row: a row is one line
    const silent = answer.note && answer.scores.every((s) => s.about === null);  // no number is shown that isn't one
    const rows = answer.scores.map((s, i) => {
      const marked = receipts.marks(s.text, { origin: "align", version: answer.model });
      const more = [s.about === null || s.zone === "fits" || s.about < answer.zones.fits ? null : h("small", {}, tr`It is what is spoken about: `, mm.share(s.about, { kind: "about", version: answer.model }))];
      const row = textRow(s, i, { zones: answer.zones, model: answer.model, words: SAID, kind: "said", marked, press: (at) => press(chosen === at ? -1 : at), change: lines.change, more });
      row.querySelector("[data-score]").dataset.words = s.text;
      return row;
    });
    ask(silent ? tr`Nobody speaks here` : toldOf(answer.scores));
    box.replaceChildren(...[answer.note && h("p", { class: "mm-note", role: "status", "data-align-note": true }, answer.note), ...(silent ? [] : [axis(answer.zones, SAID), h("ul", { class: "mm-fits", role: "list" }, rows)])].filter(Boolean));
    if (silent) return;
    const written = lines.written(answer.scores.map((s) => s.text));
    if (written >= 0 && document.activeElement === document.body) element.querySelector(`[data-score="${written}"] .mm-pick`).focus();
    tellDoubts(item, answer.scores);
  }, { doing: tr`Checking the texts`, shape: "", say: (words) => { words.classList.remove("over"); box.querySelector(".mm-working")?.remove(); box.prepend(words); } });
}
const toldOf = (scores) => {
  const said = scores.filter((s) => s.zone === "fits").length, all = scores.length;
  if (said) return all === 1 ? tr`This text was said` : tr`${said} of ${all} texts ${said === 1 ? "was" : "were"} said`;
  return scores.some((s) => s.zone === "can't tell") ? tr`Which text was said? It can’t tell` : all === 1 ? tr`This text was not said` : tr`None of these texts was said`;
};
// Of texts of which the model can't tell, the words that it did not hear.
const LOOKED_AT = 3;
async function tellDoubts(item, scores) {
  const still = turnOfDoubts(), unsure = scores.map((s, i) => [s, i]).filter(([s]) => s.zone === "can't tell").slice(0, LOOKED_AT);
  for (const [s, i] of unsure) {
    const found = await api("align_words", { item, text: s.text, version: state.version }).catch(() => null);
    if (!still() || item !== state.item) return;
    if (found && element.querySelector(`[data-score="${i}"]`)?.dataset.words === s.text) strike(i, found);
  }
}
const turnOfDoubts = mm.turns();

/* Search: two probabilities are two questions; the list stands in the order of the one that is named first */
const MEASURED = { said: tr`what was said first`, about: tr`nobody says exactly this: what is spoken about first` };
function numbers(r, version, measure) {
  if (r.probability === null) return [mm.answers.likely(r, version)];
  const one = (kind, value) => mm.share(value, { kind, version }, { class: "mm-ask" }), likely = () => mm.answers.likely(r, version), all = r.found_by === "words" && measure, sure = (kind) => (all ? likely() : one(kind, r.probability));
  if (all && r.said < 0.5) return tr`holds these words ${likely()} · about it ${one("about", r.about)}`;
  if (measure === "said") return tr`said ${sure("said")} · about it ${one("about", r.about)}`;
  return measure === "about" ? tr`about it ${sure("about")} · said ${one("said", r.said)}` : [likely()];
}
function search({ by = false, find = "", all = false } = {}) {
  const box = $("[data-results]"), query = by ? "" : words.value.trim();
  asked = { by, find, all };
  if (by ? !needed(box) : !query) return by || fail(box, new Error(tr`There is nothing to look for. Write some words.`));
  if (by) words.value = "";
  remember(true);
  const body = { task: "speech-text", k: 12, query, item: by ? state.item : "", version: state.version, ...mm.answers.request(mm.answers.wishes(element, asked)) };
  return into(box, () => api("search", body), (answer) => {
    const note = answer.note && !answer.results.length ? null : mm.answers.note(answer), again = query ? () => { if (words.value.trim() === query) search(asked); } : undefined;
    const more = !all && !(answer.note && !answer.results.length) && answer.results.length < body.k ? () => search({ by, find, all: true }) : null;
    const good = answer.results.filter((r) => r.fit === "best").length, silent = answer.note && !answer.results.length;
    box.replaceChildren(...[silent ? null : h("h1", { "aria-live": "polite" }, by ? (find === "text" ? tr`The texts that come nearest` : tr`The recordings most alike`) : answer.no_match || !good ? tr`No good match` : mm.many(good, "good match", "good matches")),
      h("p", { class: "mm-small mm-legend" }, [body.query ? `“${body.query}”` : tr`by this recording`, MEASURED[answer.measure]].filter(Boolean).join(" · ") + mm.answers.reordered(answer)),
      mm.answers.told(answer), note,
      ...mm.answers.parts(answer, answer.results.map((r, i) => h("div", { class: "mm-line", "data-item": r.item },
        body.target === "text" ? null : h("button", { class: "mm-play", type: "button", "aria-label": tr`Play ${r.file}`, onclick: () => mm.playOnce(r.item, r.start) }, mm.icon("play")),
        h("div", { class: "mm-caption" }, h("button", { class: "mm-pick", type: "button", title: body.target === "text" ? tr`See whether it was said` : tr`Open this recording`, onclick: async () => {
          if (body.target === "text") { texts.value = [...new Set([r.text, ...lines.list()])].join("\n"); texts.dataset.given = ""; open("listen"); return align(); }
          try { await choose(r.item, r.start === null); } catch (e) { return error(e.message); }
          if (r.item !== state.item) return;
          open("listen");
          if (r.start !== null) wave.playSpan(r.start, r.end);
        } }, h("span", { class: "mm-text" }, r.text || r.file)), h("span", { class: "mm-faint" }, ...numbers(r, answer.model, answer.measure), `${r.start === null ? "" : ` · ${clock(r.start)}–${clock(r.end)}`}${body.target === "text" ? "" : ` · ${r.file}`}`)),
        marks(body.query || r.text, { item: body.target === "text" ? body.item || state.item : r.item, origin: "search", query: body.query || "", rank: i + 1, version: answer.model, said: r.verdict, known: r.label, then: again }))), { all: more })].filter(Boolean));
  }, { doing: tr`Searching the recordings`, shape: "rows" });
}
$("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
$("[data-texts]").onclick = () => search({ by: true, find: "text" });
$("[data-similar]").onclick = () => search({ by: true });

const otherVersion = () => { remember(); if (state.item) choose(state.item).catch((e) => error(e.message)); if (state.mode === "search" && $("[data-results]").children.length) search(asked); };

// What a link says, or the first sample.
async function restore(link, first) {
  begun ||= mm.begin("speech-text", link, state, otherVersion).then((start) => { offer(start.samples); return start; });
  if (first && !picked) open(link.mode === "search" ? "search" : "listen");
  const waiting = mm.waits(link.mode === "search" ? $("[data-results]") : $("[data-progress]"), OPENING);
  const start = await begun.catch((e) => { begun = null; error(e.message); return null; });
  waiting.over();
  if (!start) return;
  if (!first) mm.version.choose("speech-text", link.version || "");
  if (first && picked) link = { ...link, mode: state.mode };  // the view that somebody opened meanwhile stays
  const view = link.mode === "search" ? "search" : "listen", given = view === "listen" && link.text, sought = (view === "search" && link.text) || "";
  if (given && !(first && texts.value)) { texts.value = given; texts.dataset.given = ""; }
  if (!texts.value || (!first && !given)) texts.dataset.given = texts.value = start.samples.slice(0, 3).flatMap((s) => s.texts.slice(0, 1)).join("\n");  // the sample's own comes first, until somebody writes
  if (view === "search" && !(first && words.value)) words.value = sought;
  const sample = start.samples[0]?.item, instead = sample ? tr`the first sample is shown instead` : tr`nothing is shown instead`;
  const there = !link.item || link.item === state.item || await mm.address.itemOf(link.item, "speech-text", instead).catch((e) => { error(e.message); return null; });
  const item = (there && link.item) || sample;
  if (view === "search") asked = { by: Boolean(link.by), find: link.find === "text" ? "text" : "", all: Boolean(link.all) };
  open(first && picked ? state.mode : view);
  const still = first ? turn.first() : turn();
  if (item && still && item !== state.item) await show(item, false, still).catch((e) => error(e.message));
  else if (view === "listen" && state.item && !first) align();
  if (state.mode === "search" && (sought || (link.by && state.item))) search(asked);
}
