// The same question to the old and to the new: what came first for the test texts that changed most, or for one's own
const CHIPS = { better: 4, worse: 2 };
const SHOWN = 5;
function five(name, place, found, right = -1) {
  const medium = (one, i) => h("li", {}, h("span", { class: `mm-plate5 ${i === right ? "right" : ""}` }, mm.medium(one.item, `${one.text || tr`no text yet`}${i === right ? tr`, the right one` : ""}`, one)), String(i + 1));
  return h("div", {}, h("h3", {}, h("span", { class: `mm-tag ${name === tr`new` ? "acc" : ""}` }, name), place), h("ol", { class: "mm-five" }, found.map(medium)));
}
// Of a test text: where its right answer stands now and stood before, of the test's media.
function ofTest(c, from) {
  const at = (rank) => tr`right ${noun()} at place ${mm.number(String(rank), from)}`;
  const right = { item: c.item, text: c.text, start: c.start, end: c.end };
  if (!c.first_after?.length) return [h("figure", { class: "mm-right-one" }, mm.medium(c.item, c.text, c), h("figcaption", {}, h("span", { class: "mm-tag" }, tr`old`), at(c.before), h("span", { class: "mm-tag acc" }, tr`new`), at(c.after)))];
  return [five(tr`old`, at(c.before), c.first_before, c.before - 1), five(tr`new`, at(c.after), c.first_after, c.after - 1),
    Math.min(c.before, c.after) > SHOWN ? h("p", { class: "mm-small mm-wanted" }, tr`The right one: `, mm.medium(right.item, c.text, right)) : ""];
}
// Of one's own words: what a search in the whole collection by either finds. Marks made on earlier answers count in both.
async function ofSearch(versions, words) {
  const [old, now] = await Promise.all(versions.map((version) => api("search", { query: words, task: mm.task.name, k: SHOWN, everything: true, version })));
  return [[tr`old`, old], [tr`new`, now]].map(([name, answer]) => five(name, tr`in all ${mm.task.modality.plural}`, answer.results.slice(0, SHOWN)));
}
// `old` and `now` are versions; `from` is the source of their ranks.
function sameQuestion({ changes, old, now, from }) {
  const chips = ["better", "worse"].flatMap((way) => (changes?.[way] || []).slice(0, CHIPS[way]).map((c) => ({ ...c, way })));
  if (!chips.length) return [];
  const box = h("div", { class: "mm-cmp", "aria-live": "polite" }), row = h("div", { class: "mm-queries", role: "group", "aria-label": tr`Test texts that changed most` });
  const say = (nodes) => box.replaceChildren(...nodes.filter(Boolean));
  const pressed = (b) => { for (const one of row.children) one.setAttribute("aria-pressed", String(one === b)); };
  const chip = (words, act, more) => h("button", { class: "mm-query", type: "button", "aria-pressed": "false", onclick: (e) => { pressed(e.currentTarget); act(); } }, words, more || "");
  const input = h("input", { "aria-label": tr`Words to ask both`, placeholder: tr`a text of your own`, autocomplete: "off" });
  const form = h("form", { class: "mm-row", hidden: true, onsubmit: (e) => { e.preventDefault(); if (input.value.trim()) mm.into(box, () => ofSearch([old, now], input.value.trim()), say, { doing: tr`Asking both`, shape: "cards" }); } }, input, h("button", { class: "mm-button" }, tr`Ask both`));
  const show = (c) => { form.hidden = true; say(ofTest(c, from)); };
  row.append(...chips.map((c) => chip(c.text, () => show(c), c.way === "worse" ? h("span", { class: "mm-tag warn" }, tr`worse`) : "")),
    old && now ? chip(h("span", { class: "mm-small" }, tr`ask your own…`), () => { form.hidden = false; say([]); input.focus(); }) : "");
  pressed(row.firstElementChild);
  show(chips[0]);
  return [h("h2", {}, tr`Same question, old and new`), row, form, box];
}
