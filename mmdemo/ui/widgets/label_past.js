// One's last answers, a strip of them under the pair and all that the server tells in a dialog; each can be changed.
const STRIP = 12, TOLD = 100;
let told = [], toldOf = null, drawing = false;  // one's last labels by the server; whose they are; whether they are being drawn
// Whoever only looks has none, and is not asked to sign in for them.
let mayLabel = null;
async function askPast() {
  const of = JSON.stringify([mm.task.name, mm.annotator()]);
  if (!mayLabel || of === toldOf || element.offsetParent === null) return;
  toldOf = of;
  try {
    const { labels } = await mm.send("mmdemo/api/last_labels", mm.asJson({ task: mm.task.name, annotator: mm.annotator(), count: TOLD }));
    if (of === toldOf) told = labels;
  } catch { if (of === toldOf) toldOf = null; }  // asked again at the next status
  drawPast();
}
// What stands on the screen, then what waits in this browser, then what the server has; of a pair the newest alone.
function answersGiven() {
  const about = mm.task.name, gone = takenBack(), seen = new Set();
  const here = done.filter((one) => one.pair.task === about).reverse();
  const waiting = underway().filter((one) => one.shown?.task === about).map((one) => ({ pair: one.shown, verdict: one.body.verdict, key: one.body.key })).reverse();
  const all = [...here.filter((one) => !one.undone), ...[...waiting, ...told].filter((one) => !isKnown(one, gone))];
  return all.filter(({ pair }) => !seen.has(pair.pair) && seen.add(pair.pair));
}
const media = (pair, side) => (mm.modalityOf(pair.task).player === "wave" ? mm.h("span", { class: "mm-past-text" }, pair.text)
  : mm.h("img", { src: pair.node?.src || (pair.start !== null && pair.start !== undefined ? `mmdemo/frame/${pair.item}?t=${((pair.start + pair.end) / 2).toFixed(2)}` : mm.thumb(pair.item, side)), alt: "" }));
function markOf(verdict) {
  const kind = kindOf(verdict), tone = kind?.tone || "neutral";
  return mm.h("span", { class: `mm-badge ${tone}` }, kind && tone === "neutral" && kind.sign ? kind.sign : icon(tone));
}
const titleOf = (verdict) => kindOf(verdict)?.title || verdict;
const strip = new WeakMap();  // the nodes of what was drawn
function pastNode(one) {
  if (!strip.has(one)) {
    strip.set(one, mm.h("li", {}, mm.h("button", { type: "button", title: one.pair.text, "aria-label": `“${one.pair.text}”: ${titleOf(one.verdict)}`, onclick: () => reopen(one) }, media(one.pair, 320), markOf(one.verdict))));
  }
  return strip.get(one);
}
// Drawn when the browser has nothing else to do: the next pair comes first.
async function drawPast() {
  if (drawing) return;
  drawing = true;
  await mm.drawn();
  drawing = false;
  const all = answersGiven(), list = element.querySelector(".mm-past"), more = element.querySelector("[data-all]");
  list.replaceChildren(...all.slice(0, STRIP).map(pastNode));
  for (const one of all.slice(0, STRIP)) pastNode(one).firstChild.setAttribute("aria-current", String(Boolean(current?.said) && current.pair === one.pair.pair));
  more.hidden = !all.length;
  more.textContent = told.length < TOLD ? tr`All ${all.length}` : tr`All`;
}
function showAll() {
  const all = answersGiven(), row = (one) => mm.h("li", {}, mm.h("button", { type: "button", onclick: () => { dialog.close(); reopen(one); } },
    mm.h("span", { class: "mm-past-medium" }, media(one.pair, 320)), mm.h("span", { class: "mm-text" }, one.pair.text), mm.h("span", { class: "mm-past-said" }, markOf(one.verdict), titleOf(one.verdict))));
  const dialog = mm.h("dialog", { class: "mm-dialog mm-past-answers", "aria-labelledby": "mm-answers-of", onclose: () => dialog.remove() },
    mm.h("h4", { id: "mm-answers-of" }, tr`Your answers`), mm.h("p", { class: "mm-hint" }, told.length < TOLD ? tr`The newest first. Click one to change it.` : tr`Your last ones, the newest first; Data has all. Click one to change it.`),
    mm.h("ul", {}, all.map(row)), mm.h("div", { class: "mm-row" }, mm.h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`)));
  document.body.append(dialog);
  dialog.showModal();
}
