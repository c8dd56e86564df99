// What is selected among the results: answered, exported, hidden or removed together.
const MOST_SELECTED = 500;  // that the server takes at once
const picked = new Map();  // by item: its result and its place
let lastPicked = "";
const attempt = (f) => async () => { try { await f([...picked.values()]); } catch (e) { toast(e.message, true); } };

function choosePicture(card, on, ranged) {
  const cards = [...element.querySelectorAll("[data-results] .mm-card")], from = cards.findIndex((one) => one.dataset.item === lastPicked), to = cards.indexOf(card);
  const range = ranged && from >= 0 ? cards.slice(Math.min(from, to), Math.max(from, to) + 1) : [card];
  for (const one of range) {
    if (!on) picked.delete(one.dataset.item);
    else if (picked.size < MOST_SELECTED) picked.set(one.dataset.item, one.row);
    else { toast(tr`At most ${MOST_SELECTED} at once.`, true); break; }
  }
  lastPicked = card.dataset.item;
  drawBulk();
}
// A result's box: Shift takes all between it and the one before.
function selectable(card, result, rank) {
  card.row = { result, rank };
  const box = h("input", { type: "checkbox", class: "mm-choose", "aria-label": tr`Select ${titleOf(result)}`, onclick: (e) => choosePicture(card, box.checked, e.shiftKey) });
  card.prepend(box);
  return card;
}
// After another answer: as the results are now, without those that are there no more.
function keepPicked() {
  const now = new Map([...element.querySelectorAll("[data-results] .mm-card")].map((card) => [card.dataset.item, card.row]));
  for (const item of [...picked.keys()]) if (now.has(item)) picked.set(item, now.get(item)); else picked.delete(item);
  drawBulk();
}
function clearBulk() {
  picked.clear();
  drawBulk();
}
function drawBulk() {
  const bar = $("[data-bulk]"), n = picked.size, had = bar.contains(document.activeElement);
  for (const card of element.querySelectorAll("[data-results] .mm-card")) {
    const on = picked.has(card.dataset.item);
    card.classList.toggle("selected", on);
    if (card.firstChild.type === "checkbox") card.firstChild.checked = on;
  }
  $(".mm-found").classList.toggle("choosing", n > 0);
  bar.hidden = !n;
  const button = (icon, words, f, more = {}) => h("button", { class: "mm-bulk-do", type: "button", onclick: attempt(f), ...more }, mm.icon(icon), h("span", {}, words));
  if (!n) {
    bar.replaceChildren();
    if (had) element.querySelector(`[data-results] .mm-card[data-item="${lastPicked}"] .mm-choose`)?.focus({ preventScroll: true });
    return;
  }
  bar.replaceChildren(h("strong", { "aria-live": "polite" }, tr`${n} selected`),
    ...mm.kinds.filter((kind) => kind.sign).map((kind) => button(kind.tone, kind.title, (rows) => answerThem(rows, kind.name))),
    button("label", tr`Label later`, laterThem),
    button("download", tr`Export`, (rows) => does.exportLabels(itemsOf(rows))), button("hide", tr`Hide`, (rows) => does.hide(itemsOf(rows))), button("remove", tr`Remove`, (rows) => does.remove(itemsOf(rows))),
    h("button", { class: "mm-bulk-do", type: "button", "aria-label": tr`Select none`, title: tr`Select none`, onclick: clearBulk }, mm.icon("bad")));
  if (had) bar.querySelector("button").focus();
}
const does = bulkDoes({ task: () => "image-text", clear: clearBulk, again: () => searchAgain() });
const itemsOf = (rows) => rows.map((row) => row.result.item);
const textOf = (result) => found.query || result.text;
const laterThem = (rows) => does.later(rows.map(({ result }) => ({ item: result.item, text: textOf(result) })));
// Each is answered with its own place among the results, as one by one.
function answerThem(rows, verdict) {
  const { query, answer } = found, of = ({ result, rank }) => ({ item: result.item, text: textOf(result), said: result.verdict, more: { origin: "search", query, rank, version: answer.model } });
  return does.answer(rows.map(of), verdict);
}
