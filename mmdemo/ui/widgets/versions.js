// The versions as a tree: activate, look at the card, compare, export, push to the Hub, delete
const ticked = new Set();
const looked = { compared: "", card: "" };  // what was compared last, and whose card is shown
let seenTask = "";
const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
const of = (v, kind, figureOf) => source({ task: chosenTask(), version: v.id }, kind, figureOf);
// What is to be said of a version besides its name.
function stateOf(v) {
  if (v.damaged) return h("span", { class: "mm-fine", role: "note" }, v.damaged);
  if (v.active) return h("span", { class: "mm-tag acc" }, "in use");
  if (v.candidate && v.certain) return h("span", { class: "mm-tag" }, "certain enough, waiting");
  if (v.candidate) return h("span", { class: "mm-fine" }, "not certain", v.need ? [": about ", mm.number(`${v.need} more`, of(v, "gate")), ` test ${mm.task.modality.plural} would tell`] : "");
  return v.overruled ? h("span", { class: "mm-fine" }, "used though the test was not certain") : "";
}
function doesOfVersion(v) {
  const network = v.id !== "proposed";
  const retest = async () => { const r = await api("retest_version", { version: v.id }); toast(r.gate.sentence, false, 9000); };
  const pack = async () => { toast("Packing…"); const r = await api("export_version", { version: v.id }); h("a", { href: r.path, download: "" }).click(); };
  const remove = async () => {
    if (!(await mm.confirm(`Delete ${v.id}? Its weights${v.own_mb ? ` (${mb(v.own_mb)})` : ""} and vectors are gone for good. Its run and all answers stay.`, "Delete"))) return;
    await api("remove_version", { version: v.id });
    toast(`${v.id} is deleted.`);
  };
  return [!v.active && button("use for everyone", () => api("activate", { version: v.id })),
    v.candidate && button("test again", retest, { disabled: Boolean(v.asked), title: v.asked || "On the test pairs of now, beside the version in use; it spends an attempt, and promotes what is certain" }),
    network && button("export", pack, { title: "Its weights, card and description as a zip that from_pretrained loads" }),
    network && button("push", () => push(v.id), { title: "To a repository of the Hub, with its model card" }),
    v.removable && button("delete", remove)].filter(Boolean);
}
function versionRow(v) {
  const tick = h("input", { type: "checkbox", "aria-label": `Compare ${v.id}`, checked: ticked.has(v.id), onchange: (e) => { e.target.checked ? ticked.add(v.id) : ticked.delete(v.id); drawCompare(); } });
  const scored = v.after === null || v.after === undefined ? "" : mm.number(`${v.before.toFixed(1)} → ${v.after.toFixed(1)}`, v.score === "BLEU-4" ? of(v, "captions", v.score) : of(v, "retrieval", v.score));
  return row([h("td", { class: "mm-ticks" }, chosenTask() === "captioning" ? "" : tick),
    h("td", { class: "mm-branch", style: `--depth:${v.depth}` }, button(v.id, () => drawCard(v.id), { title: "What it learned from, and what was measured" }), " ", stateOf(v)),
    v.method ? h("td", { title: "Answers to learn from; its card also says the other pairs" }, mm.many(v.learned_from, "answer")) : "as it came", v.method ? learned(v) : "",
    scored, v.own_mb ? mb(v.own_mb) : "", h("td", { class: "mm-does" }, doesOfVersion(v))]);
}
views.versions = async () => {
  const task = chosenTask(), [{ versions }, told] = await Promise.all([ask("version_tree").catch((e) => { error(e.message); return { versions: [] }; }), ask("training_data").catch(() => null)]);
  if (task !== chosenTask()) return;
  if (task !== seenTask) { if (seenTask) unlook(); seenTask = task; }
  for (const v of ticked) if (!versions.some((o) => o.id === v)) ticked.delete(v);
  const back = async () => { const r = await ask("roll_back"); toast(`${r.version} is in use again.`); };
  $("[data-tree]").replaceChildren(grid(["", "version", "learned from", "what learned", versions.some((v) => v.score === "BLEU-4") ? "old → new, as people write" : "old → new, all six", "size", ""], versions.map(versionRow)),
    told?.parent ? h("button", { class: "mm-button", type: "button", "data-rollback": true, onclick: guard(back) }, `Go back to ${told.parent}`) : "");
  drawCompare();
};
function drawCompare() {
  const go = $("[data-compare]");
  go.disabled = ticked.size < 2;
  go.textContent = ticked.size < 2 ? "Tick two or more to compare" : `Compare ${ticked.size} versions`;
}
function comparedGrid(c) {
  const one = mm.task.modality.noun;
  return grid(["version", `right ${one} first`, "in the first ten", "right text first", "in the first ten", "all six", `over ${c.rows[0].version}`, "likely between"], c.rows.map((r, i) => {
    const from = (of) => ({ kind: "side-by-side", task: chosenTask(), version: r.version, against: i ? c.rows[0].version : "", split: c.split, of });
    return row([r.version, ...["text_to_media", "media_to_text"].flatMap((way) => ["R@1", "R@10"].map((k) => figure(r[way][k], from(k)))), figure(r.mean_recall, from("mean recall")), ...(i ? gainCells(r.gain, from("")) : ["", ""])]);
  }));
}
function unlook() {
  ticked.clear();
  Object.assign(looked, { compared: "", card: "" });
  for (const box of ["[data-compared]", "[data-card]"]) $(box).replaceChildren();
}
$("[data-compare]").onclick = () => { looked.compared = [...ticked].join(","); remember(); return compare(); };
const compare = () => mm.into($("[data-compared]"), () => ask("compare_versions", { versions: [...ticked], split: $("[data-split]").value }), (c) => {
  $("[data-compared]").replaceChildren(h("h4", {}, `On ${c.pairs} ${{ "held-out": "test pairs", validation: "side-check pairs", train: "pairs to learn from" }[c.split] || "answered pairs"}`), ...leftOut(c.left_out), comparedGrid(c),
    ...(c.two ? sameQuestion({ changes: c.two.changes, old: c.rows[0].version, now: c.rows[1].version, from: { kind: "side-by-side", task: chosenTask(), version: c.rows[1].version, against: c.rows[0].version, split: c.split, of: "rank" } }) : []));
});
async function drawCard(id) {
  looked.card = id;
  remember();
  const c = await api("version_card", { version: id }), k = c.card, s = k?.settings || {};
  const asked = [["epochs", s.epochs], ["learning rate", s.learning_rate], ["batch", s.batch], ["loss", s.loss], ["merged heads", k?.method === "head" && s.members > 1 && s.members]].filter(([, v]) => v).map(([n, v]) => `${n} ${v}`).join(", ");
  $("[data-card]").replaceChildren(h("h4", {}, id), h("dl", { class: "mm-facts" },
    ...fact("base", `${c.base.name} · ${c.base.licence}${c.base.size_mb ? ` · ${mb(c.base.size_mb)}` : ""}`), ...fact("what it is", c.base.about),
    ...(k ? [...fact("from", k.parent), ...fact("run", `${k.run}, ${new Date(k.created).toLocaleString()}`), ...fact("learned by", `${TERMS[k.method] || k.method}${asked ? ` (${asked})` : ""}, seed ${s.seed}`),
      ...fact("learned from", `${k.trained_on.match} that fit, ${k.trained_on.mismatch} that don’t`), ...(k.trained_on.left_out ? fact("left out", `${k.trained_on.left_out} pairs: their files are gone`) : []), ...fact("other pairs", `${k.trained_on.validation ?? 0} of the side check, ${k.trained_on.held_out} of the test`), ...fact("snapshot", `${c.snapshot} answers in all, SHA-256 ${k.labels_sha256.slice(0, 12)}…`)] : [])),
    k ? tested(k) : "",
    k?.overruled ? h("p", { class: "mm-note" }, `Used for everyone by ${k.overruled.by || "a person"}, ${new Date(k.overruled.at).toLocaleString()}, though the test was not certain. It had said: `, mm.readings(k.overruled.sentence, source(k, "gate"))) : "",
    ...(k ? allNumbers(k) : []),
    ...(chosenTask() === "captioning" ? [] : mm.told(c.reliability)));
}
// What a link says was looked at here.
async function look(link) {
  unlook();
  const { versions } = await ask("version_tree"), asked = (link.compared || "").split(",").filter(Boolean);
  const here = (id) => versions.some((v) => v.id === id), lost = [...new Set([...asked, link.card].filter((id) => id && !here(id)))];
  if (lost.length) mm.address.gone(`${lost.join(", ")} of this link ${lost.length === 1 ? "is" : "are"} not among the versions here`, "those that are here are shown instead");
  for (const id of asked) if (here(id)) ticked.add(id);
  const split = $("[data-split]");
  split.value = [...split.options].some((o) => o.value === link.split) ? link.split : split.options[0].value;
  looked.compared = [...ticked].join(",");
  drawCompare();
  if (ticked.size > 1) compare();
  if (here(link.card)) await drawCard(link.card);
}
async function push(id) {
  const field = (label, attributes) => { const input = h("input", { autocomplete: "off", ...attributes }); return [h("label", { class: "mm-field" }, label, input), input]; };
  const [nameBox, name] = field("Repository", { placeholder: "YOUR-NAME/MODEL", required: true }), [tokenBox, token] = field("Token that may write; not kept", { type: "password", placeholder: "or signed in with hf auth login" });
  const hidden = h("input", { type: "checkbox", checked: true });
  if (!(await mm.confirm(`Push ${id} to the Hub, with its model card.`, "Push", [nameBox, tokenBox, h("label", { class: "mm-field" }, hidden, " private")]))) return;
  toast("Pushing…");
  const done = await api("publish_version", { version: id, repo: name.value, token: token.value, private: hidden.checked });
  toast(`It is at ${done.address}`);
}
