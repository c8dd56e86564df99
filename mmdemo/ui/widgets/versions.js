// The versions as a tree: activate, look at the card, compare, export, push to the Hub, delete
const ticked = new Set();
const looked = { compared: "", card: "" };  // what was compared last, and whose card is shown
let seenTask = "";
const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
const of = (v, kind, figureOf) => source({ task: chosenTask(), version: v.id }, kind, figureOf);
// What is to be said of a version besides its name.
function stateOf(v) {
  if (v.damaged) return h("span", { class: "mm-fine", role: "note" }, v.damaged);
  if (v.active) return h("span", { class: "mm-tag acc" }, tr`in use`);
  if (v.candidate && v.certain) return h("span", { class: "mm-tag" }, tr`certain enough, waiting`);
  if (v.candidate) return h("span", { class: "mm-fine" }, tr`not certain`, v.need ? tr`: about ${mm.number(tr`${v.need} more`, of(v, "gate"))} test ${mm.task.modality.plural} would tell` : "");
  return v.overruled ? h("span", { class: "mm-fine" }, tr`used though the test was not certain`) : "";
}
function doesOfVersion(v) {
  const network = v.id !== "proposed";
  const retest = async () => { const r = await api("retest_version", { version: v.id }); toast(r.gate.sentence, false, 9000); };
  const pack = async () => { toast(tr`Packing…`); const r = await api("export_version", { version: v.id }); h("a", { href: r.path, download: "" }).click(); };
  const remove = async () => {
    if (!(await mm.confirm(tr`Delete ${v.id}? Its weights${v.own_mb ? ` (${mb(v.own_mb)})` : ""} and vectors are gone for good. Its run and all answers stay.`, tr`Delete`))) return;
    await api("remove_version", { version: v.id });
    toast(tr`${v.id} is deleted.`);
  };
  return [!v.active && button(tr`use for everyone`, () => api("activate", { version: v.id })),
    v.candidate && button(tr`test again`, retest, { disabled: Boolean(v.asked), title: v.asked || tr`On the test pairs of now, beside the version in use; it spends an attempt, and promotes what is certain` }),
    network && button(tr`export`, pack, { title: tr`Its weights, card and description as a zip that from_pretrained loads` }),
    network && button(tr`push`, () => push(v.id), { title: tr`To a repository of the Hub, with its model card` }),
    v.removable && button(tr`delete`, remove)].filter(Boolean);
}
function versionRow(v) {
  const tick = h("input", { type: "checkbox", "aria-label": tr`Compare ${v.id}`, checked: ticked.has(v.id), onchange: (e) => { e.target.checked ? ticked.add(v.id) : ticked.delete(v.id); drawCompare(); } });
  const scored = v.after === null || v.after === undefined ? "" : mm.number(`${v.before.toFixed(1)} → ${v.after.toFixed(1)}`, v.score === "BLEU-4" ? of(v, "captions", v.score) : of(v, "retrieval", v.score));
  return row([h("td", { class: "mm-ticks" }, chosenTask() === "captioning" ? "" : tick),
    h("td", { class: "mm-branch", style: `--depth:${v.depth}` }, button(v.id, () => drawCard(v.id), { title: tr`What it learned from, and what was measured` }), " ", stateOf(v)),
    v.method ? h("td", { title: tr`Answers to learn from; its card also says the other pairs` }, mm.many(v.learned_from, "answer")) : tr`as it came`, v.method ? learned(v) : "",
    scored, v.own_mb ? mb(v.own_mb) : "", h("td", { class: "mm-does" }, doesOfVersion(v))]);
}
views.versions = async () => {
  const task = chosenTask(), [{ versions }, told] = await Promise.all([mm.awaited($("[data-tree]"), { doing: tr`Reading the versions`, shape: "table" }, () => ask("version_tree")), ask("training_data").catch(() => null)]);
  if (task !== chosenTask()) return;
  if (task !== seenTask) { if (seenTask) unlook(); seenTask = task; }
  for (const v of ticked) if (!versions.some((o) => o.id === v)) ticked.delete(v);
  const back = async () => { const r = await ask("roll_back"); toast(tr`${r.version} is in use again.`); };
  $("[data-tree]").replaceChildren(grid(["", tr`version`, tr`learned from`, tr`what learned`, versions.some((v) => v.score === "BLEU-4") ? tr`old → new, as people write` : tr`old → new, all six`, tr`size`, ""], versions.map(versionRow)),
    told?.parent ? h("button", { class: "mm-button", type: "button", "data-rollback": true, onclick: guard(back) }, tr`Go back to ${told.parent}`) : "");
  drawCompare();
};
function drawCompare() {
  const go = $("[data-compare]");
  go.disabled = ticked.size < 2;
  go.textContent = ticked.size < 2 ? tr`Tick two or more to compare` : tr`Compare ${ticked.size} versions`;
}
function comparedGrid(c) {
  const one = mm.task.modality.noun;
  return grid([tr`version`, tr`right ${one} first`, tr`in the first ten`, tr`right text first`, tr`in the first ten`, tr`all six`, tr`over ${c.rows[0].version}`, tr`likely between`], c.rows.map((r, i) => {
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
  $("[data-compared]").replaceChildren(h("h4", {}, tr`On ${c.pairs} ${{ "held-out": tr`test pairs`, validation: tr`side-check pairs`, train: tr`pairs to learn from` }[c.split] || tr`answered pairs`}`), ...leftOut(c.left_out), comparedGrid(c),
    ...(c.two ? sameQuestion({ changes: c.two.changes, old: c.rows[0].version, now: c.rows[1].version, from: { kind: "side-by-side", task: chosenTask(), version: c.rows[1].version, against: c.rows[0].version, split: c.split, of: "rank" } }) : []));
}, { doing: tr`Measuring the versions`, shape: "table" });
async function drawCard(id) {
  looked.card = id;
  remember();
  const c = await api("version_card", { version: id }), k = c.card, s = k?.settings || {};
  const asked = [[tr`epochs`, s.epochs], [tr`learning rate`, s.learning_rate], [tr`batch`, s.batch], [tr`loss`, s.loss], [tr`merged heads`, k?.method === "head" && s.members > 1 && s.members]].filter(([, v]) => v).map(([n, v]) => `${n} ${v}`).join(tr`, `);
  $("[data-card]").replaceChildren(h("h4", {}, id), h("dl", { class: "mm-facts" },
    ...fact(tr`base`, `${c.base.name} · ${c.base.licence}${c.base.size_mb ? ` · ${mb(c.base.size_mb)}` : ""}`), ...fact(tr`what it is`, c.base.about),
    ...(k ? [...fact(tr`from`, k.parent), ...fact(tr`run`, `${k.run}, ${new Date(k.created).toLocaleString(tr.locale)}`), ...fact(tr`learned by`, tr`${tr.told(TERMS[k.method] || k.method)}${asked ? ` (${asked})` : ""}, seed ${s.seed}`),
      ...fact(tr`learned from`, tr`${k.trained_on.match} that fit, ${k.trained_on.mismatch} that don’t`), ...(k.trained_on.left_out ? fact(tr`left out`, tr`${k.trained_on.left_out} pairs: their files are gone`) : []), ...fact(tr`other pairs`, tr`${k.trained_on.validation ?? 0} of the side check, ${k.trained_on.held_out} of the test`), ...fact(tr`snapshot`, tr`${c.snapshot} answers in all, SHA-256 ${k.labels_sha256.slice(0, 12)}…`)] : [])),
    k ? tested(k) : "",
    k?.overruled ? h("p", { class: "mm-note" }, tr`Used for everyone by ${k.overruled.by || tr`a person`}, ${new Date(k.overruled.at).toLocaleString(tr.locale)}, though the test was not certain. It had said: `, mm.readings(k.overruled.sentence, source(k, "gate"))) : "",
    ...(k ? allNumbers(k) : []),
    ...(chosenTask() === "captioning" ? [] : mm.told(c.reliability)));
}
// What a link says was looked at here.
async function look(link) {
  unlook();
  const { versions } = await ask("version_tree"), asked = (link.compared || "").split(",").filter(Boolean);
  const here = (id) => versions.some((v) => v.id === id), lost = [...new Set([...asked, link.card].filter((id) => id && !here(id)))];
  if (lost.length) mm.address.gone(tr`${lost.join(tr`, `)} of this link ${lost.length === 1 ? "is" : "are"} not among the versions here`, tr`those that are here are shown instead`);
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
  const [nameBox, name] = field(tr`Repository`, { placeholder: "YOUR-NAME/MODEL", required: true }), [tokenBox, token] = field(tr`Token that may write; not kept`, { type: "password", placeholder: tr`or signed in with hf auth login` });
  const hidden = h("input", { type: "checkbox", checked: true });
  if (!(await mm.confirm(tr`Push ${id} to the Hub, with its model card.`, tr`Push`, [nameBox, tokenBox, h("label", { class: "mm-field" }, hidden, tr` private`)]))) return;
  toast(tr`Pushing…`);
  const done = await api("publish_version", { version: id, repo: name.value, token: token.value, private: hidden.checked });
  toast(tr`It is at ${done.address}`);
}
