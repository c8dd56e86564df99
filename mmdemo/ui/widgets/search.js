// The Search view: the best matches, the weaker ones folded, each with what people said of it.
const PAGE = 60;  // results at once: more than are judged by all that is known of them, so that where the good ones end is seen
const SORTS = { best: tr`best first`, unsure: tr`least certain first`, newest: tr`newest first`, name: "name" };
let asked = {};  // by: also or only by the picture, which is item; all: whether the weaker ones are unfolded
let target = "media", sort = "best", old = false;  // old: in the order without what people said of the answers
let found = null;  // what is shown: the answer, with the results of all pages so far, and all that was asked: by now another picture may be shown

/* What is asked for, as the link says it */
const wishes = () => ({ by: asked.by ? "item" : "", find: target === "media" ? "" : target, all: asked.all ? "1" : "", sort: sort === "best" ? "" : sort, old: old ? "1" : "", ...facetsForLink() });
function wishFor(link) {
  find(link.find === "text" ? "text" : "media");
  sort = link.sort in SORTS ? link.sort : "best";
  old = Boolean(link.old);
  facetsOfLink(link);
  asked = { by: Boolean(link.by), all: Boolean(link.all) };
}
function find(what) {
  target = $(".mm-found").dataset.find = what;
  for (const b of element.querySelectorAll(".mm-search [data-find]")) b.setAttribute("aria-pressed", b.dataset.find === what);
}
// Words that stand there are sought too, and the button says so; without a picture it asks for one.
function named() {
  const button = $("[data-similar]"), by = !state.item ? tr`By a picture` : words.value.trim() ? tr`By this picture and the words` : tr`By this picture`;
  button.replaceChildren(state.item ? h("img", { src: thumb(state.item, 96), alt: "" }) : mm.icon("image"), h("span", {}, by));
  $("[data-other]").hidden = !state.item;
}

/* Asking: page after page, which are cut from one order */
const request = ({ query, item, version, target, sort, old, only }) => ({ k: PAGE, query, item, version, target, everything: true, sort, feedback: !old, facets: target === "media", ...(target === "media" ? only : {}) });
async function pages(what, many) {
  const body = request(what), answer = await api("search", body);
  const full = () => answer.results.length && answer.results.length % PAGE === 0;  // else it was the last page
  while (full() && answer.results.length < many) {
    const { results } = await api("search", { ...body, facets: false, offset: answer.results.length });
    if (!results.length) break;
    answer.results.push(...results);
  }
  return answer;
}
function search({ by = false, all = false } = {}) {
  if (words.value.trim() !== found?.query || (by ? state.item : "") !== found?.item) old = false;  // another question
  return ask({ by, all }, PAGE);
}
const searchAgain = () => (found ? ask(asked, found.answer.results.length) : null);
// Another picture is shown than the one that was searched by.
const searchByShown = () => (asked.item && state.item && asked.item !== state.item ? search(asked) : null);
function ask({ by = false, all = false }, many) {
  const box = $("[data-results]"), query = words.value.trim(), item = by ? state.item : "";
  asked = { by, all, item };
  if (!query && !by) return fail(box, new Error(tr`There is nothing to look for. Write some words, or search by a picture.`));
  if (by && !state.item) return fail(box, new Error(tr`There is no picture to search by. Drop one anywhere on the page, or choose a file.`));
  remember(true);
  const what = { query, by, item, version: state.version, target, sort, old, only: { ...chosen } };
  return into(box, () => pages(what, many), (answer) => {
    found = { ...what, answer };
    if (answer.facets) drawFacets(answer.facets);
    draw();
    if (!what.old && (answer.ticked || answer.crossed)) tellMoves(found);
  }, { doing: target === "text" ? tr`Searching the texts` : tr`Searching the pictures`, shape: target === "text" ? "table" : "cards" });
}
async function showMore() {
  const mine = found, { results } = await api("search", { ...request(mine), facets: false, offset: mine.answer.results.length });
  if (mine !== found) return;
  mine.answer.results.push(...results);
  mine.over = !results.length;
  draw();
}

/* The answer in one sentence, and what stands below it */
const titleOf = (result) => result.text || result.file;
const byLikeness = () => (found.target === "text" ? Boolean(found.query) : found.by);
// Which results stand above the fold: the good ones; where there is none, those that may fit; of likes, which have no
// percent, all. What somebody has answered stays among them, to be answered otherwise.
function above(results) {
  const sure = results.some((r) => r.fit === "best"), fits = (r) => r.fit === "best" || (!sure && r.fit === "weaker"), any = results.some(fits);
  return results.map((r) => byLikeness() || fits(r) || (any && Boolean(r.verdict)));
}
function headline(results, stands) {
  const fit = results.filter((r, i) => stands[i] && r.fit !== "none"), n = fit.length, sure = fit.some((r) => r.fit === "best");
  if (!results.length) return tr`Nothing is left with these filters`;
  if (byLikeness()) return found.target === "text" ? tr`The texts most alike` : tr`The pictures most alike`;
  if (!n) return tr`No good match`;
  return `${n === results.length && n >= PAGE ? tr`At least ` : ""}${sure ? many(n, "good match", "good matches") : many(n, "possible match", "possible matches")}`;
}
const hit = (result, rank, query, model) => selectable(mm.answers.card(result, rank, query, model, {
  openTitle: tr`Align this picture`,
  open: async () => {
    open("align");
    const still = turn(), item = await api("medium", { item: result.item, task: "image-text" });
    if (!still()) return;
    captions.value = [...new Set([query, ...item.texts].filter(Boolean))].join("\n");
    show(item.item, item.name);
    align();
  },
  similarTitle: tr`More like this picture`,
  similar: () => { words.value = ""; show(result.item, titleOf(result)); search({ by: true }); },
  then: () => { if (words.value.trim() === query) searchAgain(); },  // what people say of answers moves the others
}), result, rank);
const textHit = (result, rank, item, model) => h("div", { class: "mm-line" },
  h("div", { class: "mm-caption" }, h("span", { class: "mm-text" }, result.text), mm.answers.likely(result, model)),
  item ? marks(item, result.text, { origin: "search", rank, version: model, said: result.verdict, known: result.label }) : null);
const grid = (nodes) => h("div", { class: found.target === "text" ? "mm-lines" : "mm-cards" }, nodes);

// The weaker ones, closed until somebody wants them: a few are seen beside how many they are.
function folded(nodes, peek, what) {
  const shown = h("summary", {}, mm.icon("right"), h("h2", {}, many(nodes.length, "weaker match", "weaker matches")), h("span", { class: "mm-small" }, what),
    h("span", { class: "mm-peek", "aria-hidden": "true" }, peek.slice(0, 5).map((r) => h("img", { src: thumb(r.item, 96), alt: "", loading: "lazy" }))));
  const fold = h("details", { class: "mm-fold", open: Boolean(asked.all), ontoggle: () => { if (fold.isConnected && fold.open !== Boolean(asked.all)) { asked = { ...asked, all: fold.open }; remember(); } } }, shown, grid(nodes), further());
  return fold;
}
// To the last picture, a page at a time.
function further() {
  const { results, facets } = found.answer, total = found.target === "media" && facets ? facets.total : 0;
  if (found.over || results.length % PAGE || (total && results.length >= total)) return null;
  const button = h("button", { class: "mm-button", type: "button", onclick: () => { button.disabled = true; showMore().catch((e) => { button.disabled = false; toast(e.message, true); }); } }, tr`Show more`);
  return h("p", { class: "mm-further" }, button, h("span", { class: "mm-small" }, total ? tr`${results.length} of ${total.toLocaleString(tr.code)} shown` : ""));
}
function head(results, stands) {
  const of = found.answer.facets?.total, by = h("select", { "aria-label": tr`Sort`, onchange: () => { sort = by.value; searchAgain(); } }, Object.entries(SORTS).map(([name, said]) => h("option", { value: name }, said)));
  by.value = found.sort;
  const beside = [of === undefined ? "" : tr`of ${many(of, "picture", "pictures").replace(/\d+/, (n) => Number(n).toLocaleString(tr.code))}`, found.by && found.query && byLikeness() ? tr`like it and “${found.query}”` : ""].filter(Boolean).join(tr`, `);
  return h("div", { class: "mm-head" }, h("h1", { "aria-live": "polite" }, headline(results, stands)), h("span", { class: "mm-small" }, beside),
    found.target === "media" && !byLikeness() ? h("label", { class: "mm-sort" }, h("span", {}, tr`Sort `), by) : null);
}
function draw() {
  const box = $("[data-results]"), { answer, query, item } = found, { results, model } = answer, settle = moving(box);
  const nodes = results.map((r, i) => (found.target === "text" ? textHit(r, i + 1, item, model) : hit(r, i + 1, query, model)));
  const stands = above(results), best = nodes.filter((_, i) => stands[i]), weak = nodes.filter((_, i) => !stands[i]);
  box.replaceChildren(...[
    head(results, stands), mm.answers.told(answer), reordered(answer),
    best.length ? grid(best) : null,
    !weak.length && results.length ? further() : null,
    !results.length && filtered() ? h("p", {}, h("button", { class: "mm-button", type: "button", onclick: clearFacets }, tr`Clear the filters`)) : null,
    weak.length ? folded(weak, found.target === "text" ? [] : results.filter((_, i) => !stands[i]), query ? tr`probably not ${query}` : tr`probably not of this picture`) : null,
  ].filter(Boolean));
  drawMoves();
  keepPicked();
  drawSaved();
  settle();
}

/* What people said of answers moves the others: a note, how far each has moved, and the order before it */
function reordered({ results, ticked = 0, crossed = 0 }) {
  const order = (words, to) => h("button", { class: "mm-link", type: "button", onclick: () => { old = to; searchAgain(); } }, words);
  if (found.old) return h("div", { class: "mm-tip mm-learned", role: "status" }, mm.icon("star"), h("span", {}, h("b", {}, tr`The order without people's answers.`)), order(tr`Show the new order`, false));
  if (!ticked && !crossed) return null;
  const did = ticked ? tr`what is like the ticked moved up${crossed ? tr`, what is like the crossed down` : ""}` : tr`what was crossed moved down`;
  const last = results.reduce((max, r) => Math.max(max, r.verdict ? r.label : 0), 0);
  return h("div", { class: "mm-tip mm-learned", role: "status" }, mm.icon("star"),
    h("span", {}, h("b", {}, tr`${many(ticked + crossed, "answer")}: results reordered. `), tr`${capital(did)}. The answers also go to the next fine-tune.`),
    order(tr`Show the old order`, true), last ? h("button", { class: "mm-link", type: "button", onclick: () => undoLast(last) }, tr`Undo`) : null);
}
function undoLast(label) {
  mm.outbox.takeBack({ label }).receipt.then((got) => { if (got.undone) mm.saved(tr`Label ${got.undone} taken back by label ${got.label}`); searchAgain(); }, (e) => toast(e.message, true));
}
// By how many places each has moved: the same is asked for without the answers.
async function tellMoves(mine) {
  if (mine.sort !== "best" || mine.target === "text") return;
  const before = await api("search", { ...request(mine), feedback: false, facets: false }).catch(() => null);
  if (!before || mine !== found) return;
  const was = new Map(before.results.map((r, i) => [r.item, i]));
  mine.moved = mine.answer.results.slice(0, PAGE).map((r, i) => [r.item, was.has(r.item) ? was.get(r.item) - i : 0]).filter(([, up]) => up);
  drawMoves();
}
function drawMoves() {
  for (const [item, up] of found.moved || []) element.querySelector(`[data-results] .mm-card[data-item="${item}"]`)?.append(h("span", { class: "mm-moved", title: tr`Moved ${up > 0 ? tr`up` : tr`down`} by people's answers` }, `${up > 0 ? "↑" : "↓"}${Math.abs(up)}`));
}
// Cards go to their new places, and the focus stays where it was.
function moving(box) {
  const cards = () => [...box.querySelectorAll("[data-item]")].filter((card) => card.offsetParent);
  const was = new Map(cards().map((card) => [card.dataset.item, card.getBoundingClientRect()]));
  const at = document.activeElement, card = box.contains(at) && at.closest("[data-item]"), which = card ? [...card.querySelectorAll("button, input")].indexOf(at) : -1;
  return () => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const one of calm ? [] : cards()) {
      const from = was.get(one.dataset.item), to = one.getBoundingClientRect();
      if (from && (from.x !== to.x || from.y !== to.y)) one.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: "none" }], { duration: 240, easing: "cubic-bezier(.2, .7, .2, 1)" });
    }
    if (which >= 0) box.querySelector(`[data-item="${card.dataset.item}"]`)?.querySelectorAll("button, input")[which]?.focus({ preventScroll: true });
  };
}

function wireSearch() {
  $("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
  $("[data-similar]").onclick = () => (state.item ? search({ by: true }) : file.click());
  $("[data-other]").onclick = () => file.click();
  $("[data-other]").append(mm.icon("upload"));
  $(".mm-ask-box").prepend(mm.icon("search"));
  for (const b of element.querySelectorAll(".mm-search [data-find]")) b.onclick = () => { find(b.dataset.find); if (found) ask(asked, PAGE); };
  words.addEventListener("input", named);
  $(".mm-found").addEventListener("keydown", (e) => { if (e.key === "Escape" && picked.size && !e.defaultPrevented) clearBulk(); });
  named();
}
