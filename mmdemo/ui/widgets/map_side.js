// Beside the map: what is selected, what is done with it, and a list of it, for those who draw nothing too.
const MOST = 500, SHOWN = 16, PAGE_OF_LIST = 60;  // of a bulk operation as the server takes it; thumbs; rows of the list
let asking = 0;  // the timer of what is most alike to a point
let listed = 0, drawn = 0;  // how many rows of the list are shown, 0: thumbs; the newest drawing of the side
const itemsWord = (n) => { const { noun, plural } = mm.task.modality; return mm.many(n === 1 ? n : n.toLocaleString(tr.code), noun, plural); };
const does = bulkDoes({ task: () => mm.task.name, clear: () => selectNone(), again: () => { known.clear(); return load(); } });
const attempt = (f) => async () => { try { await f(); } catch (e) { mm.toast(e.message, true); } };
const button = (icon, words, f, more = {}) => h("button", { class: "mm-button", type: "button", onclick: attempt(f), ...more }, mm.icon(icon), h("span", {}, words));
const best = (rows) => (scores ? [...rows].sort((a, b) => rank(b) - rank(a)) : rows);
const rank = (i) => (scores[i] === UNKNOWN ? -1 : scores[i]);

// "6 fit, 2 don't, 26 without an answer", by the words of the label kinds
function countsOf(rows) {
  const counts = points.kinds.map(() => 0);
  for (const i of rows) counts[points.answer[i]] += 1;
  return points.kinds.map((kind, k) => counts[k] && (kind === "unlabelled" ? SAYS.without(counts[k]) : SAYS.answered(counts[k], nameOf(kind)))).filter(Boolean).join(tr`, `);
}
const nameOf = (kind) => mm.kinds.find((one) => one.name === kind)?.title.toLowerCase() || SAYS.kinds[kind] || kind;

function drawSide() {
  clearTimeout(asking);
  const mine = (drawn += 1), had = side.contains(document.activeElement) && document.activeElement.dataset.does;
  if (!points?.n) return side.replaceChildren();
  if (!count) listed = 0;
  const rows = count ? best(picked()) : scores ? best(fitting()) : [];
  side.replaceChildren(...(count ? selectedHead(rows) : scores ? scoredHead(rows) : groupsHead()), h("div", { "data-list": true, "aria-busy": rows.length ? "true" : "false" }));
  if (had) (side.querySelector(`[data-does="${had}"]`) || over).focus();
  if (rows.length) list(rows, mine).catch((e) => { if (mine === drawn) mm.fail(side.querySelector("[data-list]"), e); });
}
const heading = (words, below = "") => [h("h1", { "aria-live": "polite" }, words), below && h("p", { class: "mm-small" }, below)].filter(Boolean);
function selectedHead(rows) {
  const many = rows.length > MOST, kinds = mm.kinds, off = many ? { disabled: true } : {};
  const ids = () => rows.map(points.id);
  const answer = async (verdict) => {
    const all = await told(rows);
    return does.answer(all.map((one) => ({ item: one.item, text: lit || one.text, said: one.verdict, more: { origin: "search", query: lit, version: model } })), verdict);
  };
  const later = async () => does.later((await told(rows)).map((one) => ({ item: one.item, text: lit || one.text })));
  return [...heading(SAYS.selected(rows.length.toLocaleString(tr.code)), countsOf(rows)),
    h("div", { class: "mm-map-acts" },
      h("p", { class: "mm-small mm-map-question" }, many ? SAYS.most(MOST) : lit ? SAYS.asked(lit) : SAYS.own),
      ...kinds.map((kind) => button(kind.tone, kind.title, () => answer(kind.name), { ...off, "data-does": kind.name })),
      button("label", SAYS.later, later, { ...off, "data-does": "later" }),
      button("same", SAYS.likes, more, { ...off, "data-does": "likes" }), button("download", SAYS.export, () => does.exportLabels(ids()), { ...off, "data-does": "export" }),
      button("hide", SAYS.hide, () => does.hide(ids()), { ...off, "data-does": "hide" }), button("remove", SAYS.remove, () => does.remove(ids()), { ...off, "data-does": "remove" }),
      h("button", { class: "mm-button mm-map-clear", type: "button", "data-does": "clear", onclick: selectNone }, SAYS.clear))];
}
async function more() {
  const { items } = await api("map_near", { task: mm.task.name, version: version(), items: picked().map(points.id), k: 24 });
  if (!items.length) return mm.toast(SAYS.noLikes);
  selectItems(items.map((one) => one.item));
  say.textContent = SAYS.found(items.length);
}
// What fits the text, or where nobody measured that, or nothing does, what comes nearest.
const isNearest = () => !measured || !scores.some((score) => score !== UNKNOWN && score >= FITS);
function fitting() {
  const rows = [...Array(points.n).keys()].filter((i) => scores[i] !== UNKNOWN), fit = measured ? rows.filter((i) => scores[i] >= FITS) : [];
  return fit.length ? fit : best(rows).slice(0, SHOWN);
}
function scoredHead(rows) {
  const fit = measured ? rows.filter((i) => scores[i] >= FITS).length : 0;
  return [...heading(!measured ? SAYS.nearest(lit) : SAYS.fits(fit, itemsWord(points.n), lit), note),
    ...(fit && fit < points.n ? [h("p", { class: "mm-small" }, h("button", { class: "mm-link", type: "button", "data-does": "fits", onclick: () => selectRows(rows, `i${rows.slice(0, MOST).map((i) => points.id(i).slice(0, 12)).join(".")}`) }, SAYS.select(fit)))] : [])];
}
function groupsHead() {
  const groups = points.named.map((group, g) => ({ ...group, g })).filter((group) => group.items).sort((a, b) => b.items - a.items);
  const row = ({ name, items, g }) => h("li", {}, h("button", { type: "button", class: "mm-map-group", onclick: () => selectGroup(g) }, swatch(GROUP_LOOK(g)), h("span", { class: name ? "mm-text" : "mm-small" }, name || SAYS.unnamed(g + 1)), h("span", { class: "mm-count" }, items.toLocaleString(tr.code))));
  return [...heading(itemsWord(points.n), matchMedia("(pointer: coarse)").matches ? SAYS.touch : SAYS.near),
    ...(groups.length > 1 ? [h("h2", {}, SAYS.groups), h("p", { class: "mm-fine" }, SAYS.named), h("ul", { class: "mm-map-groups", role: "list" }, groups.map(row))] : [])];
}

/* The list: thumbs first, then rows with their words */
const plate = (one) => h("a", { class: "mm-map-thumb", href: linkTo(one.item), "aria-label": one.text || one.name, title: one.text || one.name }, h("img", { src: thumb(one.item, 192), alt: "", loading: "lazy" }));
function line_of(one, i) {
  return h("li", { onmouseenter: () => hover(i), onmouseleave: () => hover(-1) }, h("a", { href: linkTo(one.item), title: SAYS.open }, h("img", { src: thumb(one.item, 96), alt: "", loading: "lazy" }), h("span", {}, h("span", { class: "mm-text" }, one.text || one.name), h("span", { class: "mm-fine" }, stateOf(one, i)))));
}
async function list(rows, mine, title = "") {
  const first = rows.slice(0, listed || SHOWN), all = await told(first);
  if (mine !== drawn) return;
  const box = side.querySelector("[data-list]"), row = new Map(first.map((i) => [points.id(i), i]));
  const grow = () => { listed = (listed || 0) + PAGE_OF_LIST; remember(); list(rows, drawn, title).catch((e) => mm.fail(box, e)); };
  box.setAttribute("aria-busy", "false");
  const name = title || (count ? (lit ? SAYS.first(lit) : SAYS.list) : SAYS.best(lit));
  box.replaceChildren(...[title && h("h2", {}, title), listed ? h("ul", { class: "mm-map-lines", role: "list", "aria-label": name }, all.map((one) => line_of(one, row.get(one.item)))) : h("div", { class: "mm-map-thumbs", role: "group", "aria-label": name }, all.map(plate)),
    !listed ? h("p", {}, h("button", { class: "mm-link", type: "button", onclick: grow }, SAYS.showAll(rows.length))) : listed < rows.length ? h("p", {}, h("button", { class: "mm-link", type: "button", onclick: grow }, SAYS.showMore)) : null].filter(Boolean));
}
// Of a point that the keyboard is on, what is most alike: so the map is read without being seen.
function nearby(i) {
  clearTimeout(asking);
  if (count) return;
  asking = setTimeout(async () => {
    const mine = (drawn += 1), here = points;
    try {
      const { items } = await api("map_near", { task: mm.task.name, version: version(), items: [points.id(i)], k: SHOWN }), [one] = await told([i]);
      if (mine !== drawn || here !== points) return;
      listed = PAGE_OF_LIST;
      side.replaceChildren(...heading(one?.text || one?.name || "", one ? stateOf(one, i) : ""), h("div", { "data-list": true }));
      await list(items.map((near) => points.row(near.item)).filter((row) => row >= 0), mine, SAYS.alike);
      listed = 0;
    } catch (e) { if (mine === drawn) mm.fail(side, e); }
  }, 400);
}
