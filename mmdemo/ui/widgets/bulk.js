// What is selected among the results: answered, exported, hidden or removed together.
const MOST_SELECTED = 500;  // that the server takes at once
const picked = new Map();  // by item: its result and its place
let lastPicked = "";
const ofPictures = (n) => many(n, "picture", "pictures");
const attempt = (f) => async () => { try { await f([...picked.values()]); } catch (e) { toast(e.message, true); } };

function choosePicture(card, on, ranged) {
  const cards = [...element.querySelectorAll("[data-results] .mm-card")], from = cards.findIndex((one) => one.dataset.item === lastPicked), to = cards.indexOf(card);
  const range = ranged && from >= 0 ? cards.slice(Math.min(from, to), Math.max(from, to) + 1) : [card];
  for (const one of range) {
    if (!on) picked.delete(one.dataset.item);
    else if (picked.size < MOST_SELECTED) picked.set(one.dataset.item, one.row);
    else { toast(`At most ${MOST_SELECTED} at once.`, true); break; }
  }
  lastPicked = card.dataset.item;
  drawBulk();
}
// A result's box: Shift takes all between it and the one before.
function selectable(card, result, rank) {
  card.row = { result, rank };
  const box = h("input", { type: "checkbox", class: "mm-choose", "aria-label": `Select ${titleOf(result)}`, onclick: (e) => choosePicture(card, box.checked, e.shiftKey) });
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
  const does = (icon, words, f, more = {}) => h("button", { class: "mm-bulk-do", type: "button", onclick: attempt(f), ...more }, mm.icon(icon), h("span", {}, words));
  if (!n) return bar.replaceChildren();
  bar.replaceChildren(h("strong", { "aria-live": "polite" }, `${n} selected`),
    ...mm.kinds.filter((kind) => kind.sign).map((kind) => does(kind.tone, kind.title, (rows) => answerThem(rows, kind.name))),
    does("download", "Export", exportThem), does("hide", "Hide", (rows) => hideThem(rows.map((row) => row.result.item))), does("remove", "Remove", removeThem),
    h("button", { class: "mm-bulk-do", type: "button", "aria-label": "Select none", title: "Select none", onclick: clearBulk }, mm.icon("bad")));
  if (had) bar.querySelector("button").focus();
}
function done(words, undo = null) {
  mm.saved(words, undo);
  clearBulk();
  return searchAgain();
}

/* Answered: each with its own place among the results, as one by one; what says so already is left */
async function answerThem(rows, verdict) {
  if (!(await mm.allows("annotator", "Answering is for annotators. Sign in as one."))) return;
  const { query, answer } = found;
  const fresh = rows.filter(({ result }) => (query || result.text) && result.verdict !== verdict);
  // The earlier answer stays in the log: the newer one counts, and where that is taken back the earlier one does again.
  const sent = fresh.map(({ result, rank }) => mm.save("label_result", { item: result.item, text: query || result.text, verdict, origin: "search", query, rank, version: answer.model }));
  const got = await Promise.allSettled(sent.map((one) => one.receipt)), kept = sent.filter((_, i) => got[i].status === "fulfilled");
  const refused = got.find((one) => one.status === "rejected");
  if (refused) toast(refused.reason.message, true);
  const undo = async () => { await Promise.allSettled(kept.map((one) => mm.outbox.takeBack(one).receipt)); searchAgain(); };
  await done(kept.length ? `Saved: ${many(kept.length, "answer", "answers")}` : "These are answered so already", kept.length ? undo : null);
}

/* Exported: their labels, with the files */
async function exportThem(rows) {
  if (!(await mm.allows("trainer", "Exporting is for trainers. Sign in as one."))) return;
  const { formats } = await api("data", { task: "image-text" }), format = h("select", { "aria-label": "Format" }, formats.map((name) => h("option", { value: name }, name)));
  if (formats.includes("jsonl")) format.value = "jsonl";
  if (!(await mm.confirm(`Export the labels of ${ofPictures(rows.length)}, with the files.`, "Export", [h("label", { class: "mm-field" }, "Format", format)]))) return;
  const made = await api("export", { task: "image-text", format: format.value, items: rows.map((row) => row.result.item) });
  h("a", { href: made.path, download: "" }).click();
  toast(`Exported ${many(made.pairs, "pair", "pairs")} with ${many(made.labels, "label", "labels")}.`);
}

/* Hidden, which can be undone, and removed, which cannot: what goes is said before */
async function hideThem(items, hide = true) {
  if (!(await mm.allows("trainer", "Hiding is for trainers. Sign in as one."))) return;
  const made = await api(hide ? "hide" : "show", { items });
  if (hide) await done(`Hidden from search and captions: ${ofPictures(made.items)}. Labels count as before.`, () => hideThem(items, false).catch((e) => toast(e.message, true)));
  else await done(`Shown again: ${ofPictures(made.items)}.`);
}
async function removeThem(rows) {
  if (!(await mm.allows("owner", "Removing is for the owner. Sign in as one."))) return;
  const items = rows.map((row) => row.result.item), would = await api("remove", { items, dry_run: true });
  const labels = would.labels ? ` ${many(would.labels, "label stays", "labels stay")} in the log, and count for nothing any more.` : "";
  if (!(await mm.confirm(`Remove ${ofPictures(would.items)} and ${many(would.pairs, "pair", "pairs")}? The files go from the disk.${labels} This cannot be undone; Hide can.`, "Remove"))) return;
  const made = await api("remove", { items });
  await done(`Removed ${ofPictures(made.items)}.${made.done ? "" : " Some files go in a minute."}`);
}
