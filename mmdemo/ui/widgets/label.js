const { h, api, thumb, save, annotator, outbox } = mm;
const $ = (selector) => element.querySelector(selector);
const AHEAD = 5, LOW = 3;  // pairs at hand beside the one on the screen, their pictures decoded: others get none of them
const HELD = 100;  // pairs at most that are kept from others for this screen
const LONG = 90;  // characters of a text, from which on it is set smaller
const box = $(".mm-label"), buttons = [], verdicts = [];  // what is off without a pair; those of the kinds
const NO_CONNECTION = tr`No connection.`, ONLY_LOOKS = tr`You look only. To label, sign in.`;
const BEGIN = tr`Answers are saved as you give them.`;
let lacking = "";  // why no more pairs come now
const queue = [], done = [], passed = new Set(), holder = crypto.getRandomValues(new Uint32Array(2)).join("");
let current = null, filling = null, finished = false, lent = false, counts = null, goal = null;
// Said after the answer only: before it, it would be a hint at it.
const WHY = { undecided: tr`asked because the model can’t tell`, misheard: tr`asked because the recogniser heard other words`, times: tr`asked because the words' times disagree`, random: tr`drawn at random`, later: tr`left for later by you`, "hard-negative": tr`asked with the text of another one` };

const spoken = h("div", { class: "mm-sound" });
const wave = mm.wave(spoken, { onspan: moveSpan });
let showing = false;  // the words of each recording on its waveform
const playerOf = (pair) => mm.modalityOf(pair.task).player;
const isSound = (pair) => playerOf(pair) === "wave", isVideo = (pair) => playerOf(pair) === "video";
const screen = h("div", { class: "mm-screen" }), player = mm.player(screen, { onspan: moveSpan });
function prepare(pair) {
  if (pair.node || isSound(pair) || isVideo(pair)) return;
  pair.node = h("img", { src: thumb(pair.item, 1280), alt: tr`The ${mm.modalityOf(pair.task).noun} to label` });
  pair.node.decode?.().catch(() => {});
}
// Keep the next pairs at hand, their pictures decoded; never one that is on the screen, waiting or done.
function fill() {
  if (filling || queue.length > LOW) return filling;
  const own = [...queue, ...(current ? [current] : [])].map((p) => p.pair), wanted = AHEAD + !current - queue.length;
  const about = mm.task.name, waiting = underway().map((entry) => entry.body.pair);
  const held = [...own, ...waiting].slice(0, HELD);  // nobody else is asked what is answered here and on its way
  const not = [...passed, ...waiting, ...done.slice(-200).map((d) => d.pair.pair)];
  const first = own.length || lent ? null : mm.waits($(".mm-pair-text"), { doing: tr`Fetching what comes next`, shape: "text" }, () => !current);
  filling = api("queue", { task: about, count: wanted, holder, held, passed: not, annotator: annotator(), counts: !counts })
    .finally(() => first?.over())
    .then((answer) => {
      if (about !== mm.task.name) { filling = null; fill(); return; }
      forget(answer.lost);
      const have = new Set([...queue, ...(current ? [current] : [])].map((p) => p.pair));
      const fresh = answer.pairs.filter((p) => !have.has(p.pair) && !waiting.includes(p.pair) && !passed.has(p.pair) && !done.some((d) => d.pair.pair === p.pair && !d.undone));
      queue.push(...fresh);
      lacking = "";
      if (answer.counts) counted(answer);
      finished = !queue.length && !current;
      lent = answer.lent;
      filling = null;
      if (!current) advance();
      drawCounts();
    })
    .catch((e) => {
      filling = null;
      lacking = e.told ? e.message : NO_CONNECTION;
      if (!current) paint();
      setTimeout(fill, 1500);
    });
  return filling;
}
// What the next ones were and others have by now, as after a night; the one on the screen stays.
function forget(pairs) {
  for (let i = queue.length - 1; i >= 0; i -= 1) if (pairs.includes(queue[i].pair)) queue.splice(i, 1);
}
// Whoever leaves lets others have what was on the screen; a page that the browser shows again asks anew.
addEventListener("pagehide", () => { if (mayLabel && !underway().length) fetch("mmdemo/api/leave_queue", mm.asJson({ holder }, { keepalive: true })).catch(() => {}); });
addEventListener("pageshow", (e) => { if (e.persisted) { filling = null; queue.length = 0; fill(); } });
const spanOf = (pair) => (pair.start === null || pair.start === undefined ? null : pair.moved || { start: pair.start, end: pair.end });
function hear(pair) {
  const here = element.offsetParent !== null && document.hasFocus(), span = spanOf(pair);
  wave.load(pair.item, pair.duration || 1, here, span);
  if (span) wave.words([{ word: pair.text, ...span, probability: 1 }]);
  else { wave.words([]); if (showing) showWords(pair); }
}
function see(pair) {
  const span = spanOf(pair);
  player.load(pair.item, pair.duration || 1);
  player.moments(span ? [span] : []);
  if (span) player.playSpan(span.start, span.end, true);
  else player.seek(0);
}
async function showWords(pair) {
  try {
    const got = await api("align_words", { item: pair.item, text: pair.text });
    if (pair === current) { wave.words(got.words); receipt(got.note); }
  } catch (e) { receipt(e.message, true); }
}
// An edge was dragged: of a pair's own span, which goes with the label; or of a word, which is a label of its own.
function moveSpan(word) {
  const span = { start: Number(word.start.toFixed(3)), end: Number(word.end.toFixed(3)) };
  if (spanOf(current)) { current.moved = span; return receipt(tr`${span.start.toFixed(2)} to ${span.end.toFixed(2)} s: saved with your label`); }
  save("label_result", { item: current.item, text: word.word, verdict: mm.confirms, origin: "span", ...span }).receipt.then(
    (r) => receipt(tr`Label ${r.label} saved on disk: “${word.word}” from ${span.start.toFixed(2)} to ${span.end.toFixed(2)} s`), (e) => receipt(e.message, true));
}
function toggleWords() {
  if (!current || !isSound(current) || spanOf(current)) return;
  showing = !showing;
  $("[data-words]").setAttribute("aria-pressed", showing);
  if (showing) showWords(current); else wave.words([]);
}
const again = (rate) => current && (isSound(current) ? wave : isVideo(current) ? player : null)?.replay(rate, spanOf(current));
function paint() {
  element.dataset.pair = current ? current.pair : "";
  element.dataset.why = current ? current.why : "";
  for (const button of buttons) button.disabled = !current;
  box.classList.toggle("done", finished && !current);
  for (const button of verdicts) {  // what one said before, where one looks at it again
    if (current?.said) button.setAttribute("aria-pressed", button.dataset.verdict === current.said); else button.removeAttribute("aria-pressed");
  }
  $(".mm-empty-act").hidden = !finished || Boolean(current);
  if (!current) return paintNone();
  prepare(current);
  $(".mm-picture").classList.toggle("sound", isSound(current) || isVideo(current));
  $(".mm-picture").replaceChildren(isSound(current) ? spoken : isVideo(current) ? screen : current.node);
  if (isSound(current)) hear(current);
  else wave.stop();
  if (isVideo(current)) see(current);
  else player.stop();
  $(".mm-pair-text").textContent = current.text;
  $(".mm-pair-text").classList.toggle("long", current.text.length > LONG);
  $(".mm-why").textContent = current.said ? tr`You said: ${titleOf(current.said)}. Another answer takes its place; Skip leaves it.` : "";
}
function paintNone() {
  wave.stop();
  player.stop();
  $(".mm-picture").replaceChildren();
  const skipped = finished && passed.size > 0;
  $(".mm-pair-text").textContent = skipped ? tr`You skipped all that is left.` : finished && lent ? tr`Others have the last pairs before them.` : finished ? tr`Every pair has its answer.` : lacking || tr`Loading…`;
  $(".mm-why").textContent = skipped ? tr`Look at them once more, or leave them to others.` : finished && lent ? tr`What they leave comes to you.` : finished ? tr`Import more ${mm.task.modality.plural}, or judge what a search finds.` : lacking && tr`More pairs come when the server answers.`;
  $("[data-go-on]").textContent = skipped ? tr`Show them again` : tr`Import more`;
  $("[data-go-on]").onclick = () => { if (skipped) offerSkipped(); else openTab("Data"); };
}
function offerSkipped() {
  passed.clear();
  finished = false;
  paint();
  fill();
}
function advance() {
  current = queue.shift() || null;
  paint();
  queue.forEach(prepare);
  if (current || !finished) fill();  // else the next status says when there is more
}
let awaited = false;  // whether the line tells of what has no receipt yet
let standing = { labels: 0, undos: 0, state: "", why: "" };  // what waits in this browser
function receipt(message, bad = false, open = false) {
  const line = $(".mm-receipt");
  awaited = false;
  line.textContent = message;
  line.classList.toggle("bad", bad);
  line.classList.toggle("mm-faint", open);  // nothing is stored by that
}
// What becomes of a label or an undo until its receipt comes.
function awaitReceipt() {
  const { labels, undos, state, why } = standing;
  const kept = [labels && mm.many(labels, "label"), undos && mm.many(undos, "undo")].filter(Boolean).join(tr` and `);
  const told = { "": tr`Saving…`, away: tr`${NO_CONNECTION} ${kept} kept in this browser until the server answers.`, "sign-in": tr`Not stored yet: ${kept} kept in this browser until you sign in.` };
  receipt(told[state] ?? tr`Not stored yet: ${kept} kept in this browser. ${why}`, false, true);
  awaited = true;
}
function drawCounts() {
  if (!counts) return;
  drawGoal(goal);
  $(".mm-label-counts").textContent = tr`Everybody’s answers, with those of the samples: ${mm.kinds.map((kind) => `${kind.title} ${counts[kind.name]}`).join(" · ")}`;
}
// `ahead` is by how much the screen is ahead of the server: what it counts lacks what still waits.
function shift(entry, by) {
  entry.ahead = (entry.ahead || 0) + by;
  count(entry, by);
}
function counted(answer) {
  ({ counts, goal } = answer);
  for (const entry of done) if (entry.ahead && entry.pair.task === mm.task.name) count(entry, entry.ahead);
}
function count(entry, by) {
  if (!counts) return;
  for (const [verdict, n] of [[entry.verdict, by], [entry.pair.said, -by]]) {  // one that was changed leaves the one before
    if (!verdict) continue;
    counts[verdict] += n;
    if (entry.pair.split === "train" && kindOf(verdict)?.training !== "none") goal.have += n;
  }
  drawCounts();
}
// The pair that is on the screen when the key goes down is the one that is labelled, whatever comes after.
function label(verdict, text = "") {
  if (!current) return;
  if (verdict === current.said && !text && !current.moved) return advance();  // it is what one said
  forgetSwiped();
  const { node, moved, said, ...shown } = current, about = { task: current.task, pair: current.pair, item: current.item };
  const sent = save("label", { ...about, verdict, text, origin: "label", ...moved }, { shown });
  sent.receipt.catch((e) => receipt(e.message, true));
  if (!sent.kept) return;
  const entry = { pair: current, verdict, key: sent.key, undone: false };
  done.push(entry);
  shift(entry, 1);
  awaitReceipt();
  noteGuided();
  drawPast();
  sent.receipt.then((r) => {
    entry.label = r.label;
    entry.ahead -= 1;
    const why = WHY[entry.pair.why];
    if (!entry.undone) receipt(tr`Label ${r.label} saved on disk${why ? tr` · it was ${why}` : ""}`);
  }, () => { if (entry.undone) entry.ahead -= 1; else { entry.undone = true; shift(entry, -1); } drawPast(); });
  advance();
}
// The labels of this browser that wait for the server and are not taken back.
function underway() {
  const all = outbox.waiting(), gone = all.map((entry) => entry.body.of);
  return all.filter((entry) => entry.action === "label" && !gone.includes(entry.body.key));
}
// What one labelled before, on another screen or device: what waits in the browser is newer than what the server has.
const takenBack = () => outbox.waiting().filter((entry) => entry.action === "take_back").map((entry) => entry.body);
const isKnown = ({ key, label }, gone) => done.some((d) => (key && d.key === key) || (label && d.label === label))
  || gone.some((body) => (key && body.of === key) || (label && body.label === label));
async function earlier() {
  const about = mm.task.name, gone = takenBack();
  const own = underway().reverse().find((entry) => entry.shown?.task === about && !isKnown(entry.body, gone));
  if (own) {
    const entry = { pair: own.shown, verdict: own.body.verdict, key: own.body.key };
    shift(entry, 1);
    return entry;
  }
  const { labels } = await api("last_labels", { task: about, annotator: annotator(), count: 100 });
  const last = labels.find((one) => !isKnown(one, gone));
  return last && { pair: last.pair, verdict: last.verdict, key: last.key, label: last.label };
}
let undoing = Promise.resolve();
const undo = () => { forgetSwiped(); undoing = undoing.then(takeBack).catch((e) => receipt(e.message, true)); };
async function takeBack() {
  let entry = done.filter((d) => !d.undone && d.pair.task === mm.task.name).pop();
  if (!entry) {
    entry = await earlier();
    if (!entry) return receipt(tr`There is nothing to take back.`);
    if (entry.pair.task !== mm.task.name) return;  // another task was chosen meanwhile
    done.push(entry);
  }
  const sent = outbox.takeBack(entry);
  sent.receipt.then((r) => {
    entry.ahead = 0;
    receipt(r.undone ? tr`“${entry.pair.text}”, ${titleOf(entry.verdict)}, was taken back by label ${r.label}` : entry.label ? tr`It is not in the collection any more.` : tr`Taken back: it was not stored.`);
  }, (e) => receipt(e.message, true));
  if (!sent.kept) return;
  entry.undone = true;
  shift(entry, -1);
  awaitReceipt();
  show(entry.pair);
}
// Another pair takes the place of the one on the screen, which comes next; one that has its answer need not.
function show(pair) {
  if (current && !current.said && current.pair !== pair.pair) queue.unshift(current);
  for (let i = queue.length - 1; i >= 0; i -= 1) if (queue[i].pair === pair.pair) queue.splice(i, 1);
  current = pair;
  edit(false);
  paint();
  drawPast();
}
const reopen = ({ pair, verdict }) => show({ ...pair, said: verdict });
function skip() {
  if (!current) return;
  if (!current.said) passed.add(current.pair);  // else it keeps its answer
  advance();
  drawPast();
}
const field = $(".mm-edit textarea");
function edit(on) {
  $(".mm-edit").hidden = !on;
  $(".mm-label-text").hidden = on;
  if (on && current) { field.value = current.text; field.focus(); field.select(); }
}
field.onkeydown = (e) => { if (e.key === "Enter" && !e.isComposing) { e.preventDefault(); $(".mm-edit").requestSubmit(); } };
$(".mm-edit").onsubmit = (e) => {
  e.preventDefault();
  const text = field.value.trim();
  if (!text) return receipt(tr`The text is empty. Write what fits.`, true);
  edit(false);
  label(mm.confirms, text === current?.text ? "" : text);
};
$("[data-cancel]").onclick = () => edit(false);
$("[data-edit]").onclick = () => edit(true);
$("[data-skip]").onclick = skip;
for (const button of element.querySelectorAll("[data-undo]")) button.onclick = undo;
$("[data-replay]").onclick = () => again(1);
$("[data-slowly]").onclick = () => again(0.6);
$("[data-words]").onclick = toggleWords;
$("[data-all]").onclick = showAll;
$("[data-keys-of]").onclick = showKeys;
$("[data-enough]").onclick = () => openTab("Fine-tune");
$("[data-name]").value = annotator();
$("[data-name]").onchange = (e) => { annotator(e.target.value.trim()); askPast(); };

const KEYS = { KeyE: () => edit(true), KeyS: skip, KeyZ: undo, KeyR: () => again(1), KeyT: () => again(0.6), KeyW: toggleWords };
for (const kind of mm.kinds) {
  for (const code of kind.keys) KEYS[code] = () => label(kind.name);
  const button = h("button", { class: `mm-v ${kind.tone}`, "data-verdict": kind.name, type: "button", onclick: () => label(kind.name) }, icon(kind.tone), h("span", {}, `${kind.title} `), kind.keys.slice(0, 1).map(keyName));
  if (kind.tone === "neutral") $("[data-edit]").before(button); else $("[data-large]").append(button);
}
verdicts.push(...element.querySelectorAll("[data-verdict]"));
buttons.push(...verdicts, $("[data-edit]"), $("[data-skip]"));
swipe($(".mm-label-pair"), (training) => {
  const kind = mm.kinds.find((one) => one.training === training);
  label(kind.name);
  tellSwiped(kind.name);
});
// A Latin letter is the one that the key says, wherever it lies, as on AZERTY or Dvorak: so the keycaps on the page are
// those of the keyboard. Where a keyboard has other letters, as Cyrillic or Greek, the key's place (event.code) decides.
const codeOf = (e) => (/^[a-z]$/i.test(e.key) ? `Key${e.key.toUpperCase()}` : /^\d$/.test(e.key) ? `Digit${e.key}` : e.key.length > 1 ? e.key : e.code);
addEventListener("keydown", (e) => {
  if (!element.isConnected || element.offsetParent === null || e.ctrlKey || e.metaKey || e.altKey) return;
  const at = e.target;
  if (e.key === "Escape" && !$(".mm-edit").hidden) return edit(false);
  if (["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName) || at.isContentEditable || at.closest?.("dialog")) return;
  if (e.key === "?") { e.preventDefault(); return showKeys(); }
  if (e.key === "Escape" && current?.said) return skip();
  if (e.key.startsWith("Arrow") && at.closest?.("[role=tablist]")) return;  // there the arrows change the tab
  const act = KEYS[codeOf(e)];
  if (!act || e.repeat) return;
  e.preventDefault();
  act();
});
addEventListener("mm-status", ({ detail }) => {
  if (filling) return;
  const grown = counts && detail.counts.pairs !== counts.pairs;
  counted(detail);
  drawCounts();
  if (finished && !current && (grown || lent)) { finished = false; fill(); }
});
// What was left for later is asked next, also where others were fetched before.
addEventListener("mm-did", async ({ detail: { name, answer } }) => {
  if (name !== "label_later" || !answer.pairs.length) return;
  await filling;
  for (const pair of answer.pairs) passed.delete(pair);
  queue.length = 0;
  if (!current?.said && $(".mm-edit").hidden) current = null;  // what somebody writes stays with its pair
  finished = false;
  if (!current) paint();
  fill();
});
outbox.watch((now) => { standing = now; if (awaited && now.labels + now.undos) awaitReceipt(); });
// Whoever only looks is told before the first label what it takes.
addEventListener("mm-status", ({ detail: { you } }) => {
  const line = $(".mm-receipt"), looks = !you.alone && you.role === "viewer";
  if (["", ONLY_LOOKS, BEGIN].includes(line.textContent)) receipt(looks ? ONLY_LOOKS : done.length ? "" : BEGIN, false, true);
  $("[data-name]").parentElement.hidden = !you.alone && Boolean(you.name);  // their labels bear the name that they were invited by
  mayLabel = you.alone || !looks;
  askPast();
});
// The view takes what is left of the window below the header, however high that is.
new ResizeObserver(() => {
  if (element.offsetParent === null) return;
  box.style.setProperty("--top", `${Math.round(box.getBoundingClientRect().top + scrollY)}px`);
  if (mayLabel === null) mm.poke();  // who one is here, the next status says
  askPast();
}).observe(element);
function restart() {
  queue.length = 0; passed.clear(); current = null; finished = false; counts = null; told = [];
  edit(false);
  paint();
  named();
  fill();
  drawPast();
  askPast();
}
function named() {
  const { player: plays } = mm.task.modality;
  for (const node of element.querySelectorAll("[data-sound]")) node.hidden = plays !== "wave";
  for (const node of element.querySelectorAll("[data-plays]")) node.hidden = !plays;
  box.dataset.player = plays;
  drawGuide(mm.task.modality);
}
const remember = mm.address.keep("label", element, { state: () => ({}), restore: () => {} });
$(".mm-label-top").prepend(mm.task.chooser(() => { remember(); restart(); }));
named();
fill();
