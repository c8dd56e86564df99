// The versions as a tree: activate, look at the card, compare, export, push to the Hub, delete
const ticked = new Set();
const looked = { compared: "", card: "" };  // what was compared last, and whose card is shown
let seenTask = "";
const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
const of = (v, kind, figureOf) => source({ task: chosenTask(), version: v.id }, kind, figureOf);
views.versions = async () => {
  const task = chosenTask(), { versions } = await ask("version_tree").catch((e) => { error(e.message); return { versions: [] }; });
  if (task !== seenTask) { if (seenTask) unlook(); seenTask = task; }
  for (const v of ticked) if (!versions.some((o) => o.id === v)) ticked.delete(v);
  $("[data-tree]").replaceChildren(grid(["", "version", "learned by", "learned from", versions.some((v) => v.score === "BLEU-4") ? "BLEU-4" : "mean recall", "size", ""], versions.map((v) => row([
    h("td", {}, task === "captioning" ? "" : h("input", { type: "checkbox", "aria-label": `Compare ${v.id}`, checked: ticked.has(v.id), onchange: (e) => { e.target.checked ? ticked.add(v.id) : ticked.delete(v.id); drawCompare(); } })),
    h("td", { class: "mm-branch", style: `--depth:${v.depth}` }, v.depth ? h("span", { class: "mm-faint mm-twig" }, "└ ") : "", button(v.id, () => drawCard(v.id), { title: "What it was trained on, and what was measured" }), v.active ? h("b", {}, " active") : v.candidate ? h("span", { class: "mm-faint" }, v.certain ? " candidate, certain enough" : v.need ? [" candidate, about ", mm.number(`${v.need} more held-out items`, of(v, "gate")), " would tell"] : " candidate") : v.overruled ? h("span", { class: "mm-faint" }, " was activated without the gate") : ""),
    v.method ? `${METHODS[v.method] || v.method}${v.head && v.head !== "residual" ? `, ${v.head}` : ""}` : "base", v.method ? h("td", { title: "Labels of the train side; its card also says the other sides" }, `${v.learned_from} labels`) : "",
    v.after === null || v.after === undefined ? "" : mm.number(`${v.before.toFixed(1)} → ${v.after.toFixed(1)}`, v.score === "BLEU-4" ? of(v, "captions", v.score) : of(v, "retrieval", v.score)), v.own_mb ? mb(v.own_mb) : "",
    h("td", { class: "mm-does" }, [
      !v.active && button("activate", () => api("activate", { version: v.id })),
      v.candidate && button("test again", async () => { const r = await api("retest_version", { version: v.id }); toast(r.gate.sentence); }, { disabled: Boolean(v.asked), title: v.asked || "On the held-out labels of now, beside the active version; it spends an attempt, and promotes what is certain" }),
      v.id !== "proposed" && button("export", async () => { toast("Packing…"); const r = await api("export_version", { version: v.id }); h("a", { href: r.path, download: "" }).click(); }, { title: "Its weights, card and description as a zip that from_pretrained loads" }),
      v.id !== "proposed" && button("push", () => push(v.id), { title: "To a repository of the Hub, with its model card" }),
      v.removable && button("delete", async () => { if (await mm.confirm(`Delete ${v.id}? Its weights${v.own_mb ? ` (${mb(v.own_mb)})` : ""} and vectors are gone for good. Its run and all labels stay.`, "Delete")) { await api("remove_version", { version: v.id }); toast(`${v.id} is deleted.`); } })].filter(Boolean))]))));
  drawCompare();
};
function drawCompare() {
  const go = $("[data-compare]");
  go.disabled = ticked.size < 2;
  go.textContent = ticked.size < 2 ? "Tick two or more to compare" : `Compare ${ticked.size} versions`;
}
function comparedGrid(c) {
  const one = mm.task.modality.noun;
  return grid(["version", `text → ${one} R@1`, "R@10", `${one} → text R@1`, "R@10", "mean recall", `over ${c.rows[0].version}`, "95 % interval"], c.rows.map((r, i) => {
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
  $("[data-compared]").replaceChildren(h("h4", {}, `On ${c.pairs} ${c.split === "all" ? "labelled" : c.split} pairs`), ...leftOut(c.left_out), comparedGrid(c),
    ...(c.two ? changes(c.two.changes, { kind: "side-by-side", task: chosenTask(), version: c.rows[1].version, against: c.rows[0].version, split: c.split, of: "rank" }) : []));
});
async function drawCard(id) {
  looked.card = id;
  remember();
  const c = await api("version_card", { version: id }), k = c.card, s = k?.settings || {};
  const asked = [["epochs", s.epochs], ["learning rate", s.learning_rate], ["batch", s.batch], ["loss", s.loss], ["merged heads", k?.method === "head" && s.members > 1 && s.members]].filter(([, v]) => v).map(([n, v]) => `${n} ${v}`).join(", ");
  $("[data-card]").replaceChildren(h("h4", {}, id), h("dl", { class: "mm-facts" },
    ...fact("base", `${c.base.name} · ${c.base.licence}${c.base.size_mb ? ` · ${mb(c.base.size_mb)}` : ""}`), ...fact("what it is", c.base.about),
    ...(k ? [...fact("from", k.parent), ...fact("run", `${k.run}, ${new Date(k.created).toLocaleString()}`), ...fact("learned by", `${METHODS[k.method] || k.method}${asked ? ` (${asked})` : ""}, seed ${s.seed}`),
      ...fact("trained on", `${k.trained_on.match} matches, ${k.trained_on.mismatch} marked mismatches`), ...(k.trained_on.left_out ? fact("left out", `${k.trained_on.left_out} pairs: their files are gone`) : []), ...fact("other sides", `${k.trained_on.validation ?? 0} validation matches, ${k.trained_on.held_out} held-out matches`), ...fact("snapshot", `${c.snapshot} labels of all sides, SHA-256 ${k.labels_sha256.slice(0, 12)}…`)] : [])),
    k?.gate ? h("p", { class: "mm-note", "data-gate": true }, mm.readings(k.gate.sentence, source(k, "gate"))) : "",
    k?.overruled ? h("p", { class: "mm-note" }, `Activated without the gate by ${k.overruled.by || "a person"}, ${new Date(k.overruled.at).toLocaleString()}. It had said: `, mm.readings(k.overruled.sentence, source(k, "gate"))) : "",
    ...tested(k), ...(k ? accuracy(k) : []), k?.before?.pairs && !k.before.note ? table(k) : "", ...(k ? [...moments(k), ...captions(k)] : []),
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
