/* What is chosen among what is browsed, and what is done with it: hidden, shown again, edited, removed. */
const chosenOnes = new Map();  // the rows, by the number of the pair or the id of the item
const count = mm.many;
const kindOf = () => form.elements.what.value;
const nounOf = (n) => (kindOf() === "pairs" ? count(n, "pair") : count(n, mm.task.modality.noun, mm.task.modality.plural));
const keyOf = (row) => (kindOf() === "pairs" ? row.id : row.item);
const MOST_CHOSEN = 500;  // that the server takes at once
const targetOf = (rows) => ({ [kindOf()]: rows.map(keyOf) });
const amountOf = (a) => [a.items && count(a.items, mm.task.modality.noun, mm.task.modality.plural), a.pairs && count(a.pairs, "pair")].filter(Boolean).join(tr` and `) || tr`nothing`;
const size = (bytes) => (bytes < 1e6 ? tr`${Math.max(1, Math.round(bytes / 1e3))} kB` : tr`${(bytes / 1e6).toFixed(1)} MB`);
// What was refused is told, and what is there now is shown: it may have been removed in another tab.
const attempt = (f) => async (e) => { try { await f(e); } catch (x) { mm.toast(x.message, true); choose([]); await browse().catch(() => {}); } };
async function changed(words, undo = null) {
  mm.saved(words, undo);
  choose([]);
  poke();
  await Promise.all([browse(), refresh(), changes.open ? listChanges() : null]);
}
function choose(rows) {
  chosenOnes.clear();
  for (const row of rows) chosenOnes.set(keyOf(row), row);
  drawChosen();
}

/* Remove: what goes and what stays is said before. */
async function removeThem(target) {
  if (!(await mm.allows("owner", tr`Removing is for the owner. Sign in as one.`))) return;
  const would = await api("remove", { ...target, dry_run: true });
  const labels = would.labels ? tr` ${count(would.labels, "label")} ${would.labels === 1 ? "stays" : "stay"} in the log, and ${would.labels === 1 ? "counts" : "count"} for nothing any more.` : tr` No label is on them.`;
  const files = would.items ? tr` The files go from the disk (${size(would.bytes)}).` : tr` The ${mm.task.modality.plural} stay.`;
  if (!(await mm.confirm(tr`Remove ${amountOf(would)}?${files}${labels} This cannot be undone.`, tr`Remove`))) return;
  const done = await api("remove", target);
  await changed(tr`Removed ${amountOf(done)}.${done.done ? "" : tr` Some files go in a minute.`}`);
}
async function hideThem(target, hide = true) {
  const done = await api(hide ? "hide" : "show", target);
  if (!done.change) return mm.toast(hide ? tr`It is hidden already.` : tr`Nothing of it is hidden.`);
  await changed(hide ? tr`Hidden from search and captions: ${amountOf(done)}. Labels count as before.` : tr`Shown again: ${amountOf(done)}.`, attempt(() => hideThem(target, !hide)));
}

/* Edit: in a dialog with the fields of what it is. */
const input = (name, value, more = {}) => h(more.rows ? "textarea" : "input", { name, "aria-label": name, ...more, ...(more.rows ? {} : { value }) }, ...(more.rows ? [value] : []));
const field = (label, box) => h("label", { class: "mm-field" }, label, box);
async function editPair(row) {
  const text = input(tr`Text`, row.text, { rows: 3, required: true, maxlength: 10000 }), timed = mm.task.modality.name !== "image";
  const times = timed ? [input(tr`Start in seconds`, row.start ?? "", { type: "number", step: "any", min: 0 }), input(tr`End in seconds`, row.end ?? "", { type: "number", step: "any", min: 0 })] : [];
  const behind = row.verdict ? tr`Its label is on the old words: it stays in the log with them, and the new ones wait for a label.` : "";
  const fields = [field(tr`Text`, text), ...(timed ? [h("div", { class: "mm-row" }, field(tr`Start in seconds`, times[0]), field(tr`End in seconds`, times[1]))] : []), behind && h("p", { class: "mm-hint" }, behind)];
  if (!(await mm.confirm(tr`Edit this pair.`, tr`Save`, fields))) return;
  const [start, end] = times.map((box) => (box.value === "" ? null : Number(box.value)));
  const whole = timed && start === null && end === null, span = timed ? { start, end, whole } : {};
  const made = await api("edit_pair", { pair: row.id, text: text.value, ...span });
  const back = { pair: made.pair, text: row.text, ...(timed ? { start: row.start, end: row.end, whole: row.start === null && row.end === null } : {}) };
  const across = made.split === null ? tr` Item and text are on different sides now: it is neither trained nor measured on.` : "";
  await changed(tr`Saved as “${made.text}”.${across}`, attempt(async () => { await api("edit_pair", back); await changed(tr`As it was before.`); }));
}
async function editItem(row) {
  const name = input(tr`Name`, row.name, { required: true, maxlength: 200 }), source = input(tr`Source`, row.source, { required: true, maxlength: 120 });
  if (!(await mm.confirm(tr`Edit this ${mm.task.modality.noun}.`, tr`Save`, [field(tr`Name`, name), field(tr`Source`, source)]))) return;
  await api("edit_item", { item: row.item, name: name.value, source: source.value });
  await changed(tr`Saved as ${name.value}.`, attempt(async () => { await api("edit_item", { item: row.item, name: row.name, source: row.source }); await changed(tr`As it was before.`); }));
}

/* The bar over what is browsed, as long as something is chosen */
const does = (words, work, more = {}) => h("button", { class: "mm-button", type: "button", onclick: attempt(work), ...more }, words);
function drawChosen() {
  const rows = [...chosenOnes.values()], bar = $("[data-chosen]");
  bar.hidden = !rows.length;
  for (const box of element.querySelectorAll("[data-choose]")) box.checked = chosenOnes.has(kindOf() === "pairs" ? Number(box.dataset.choose) : box.dataset.choose);
  if (!rows.length) return bar.replaceChildren();
  const target = targetOf(rows), one = rows.length === 1 && rows[0];
  bar.replaceChildren(...[h("strong", { "aria-live": "polite" }, tr`${nounOf(rows.length)} chosen`),
    rows.every((row) => row.hidden) ? null : does(tr`Hide`, () => hideThem(target)), rows.some((row) => row.hidden) ? does(tr`Show again`, () => hideThem(target, false)) : null,
    one ? does(tr`Edit`, () => (kindOf() === "pairs" ? editPair(one) : editItem(one))) : null,
    does(tr`Remove`, () => removeThem(target)),
    h("button", { class: "mm-link", type: "button", onclick: () => choose([]) }, tr`Choose none`)].filter(Boolean));
}
const chooser = (row) => h("input", { type: "checkbox", class: "mm-choose", "data-choose": keyOf(row), "aria-label": tr`Choose ${row.text || row.name}`, onchange: (e) => {
  if (!e.target.checked) chosenOnes.delete(keyOf(row));
  else if (chosenOnes.size < MOST_CHOSEN) chosenOnes.set(keyOf(row), row);
  else mm.toast(tr`At most ${MOST_CHOSEN} at once. What an import brought is found under imports.`, true);
  drawChosen();
} });

/* Imports: each as a whole */
const when = (utc) => new Date(utc).toLocaleString(tr.locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
function importsTable(found) {
  const cell = (label, ...what) => h("td", { "data-label": label }, ...what);
  const link = (words, label, work) => h("button", { class: "mm-link", type: "button", "aria-label": label, onclick: attempt(work) }, words);
  const row = (one) => h("tr", {}, cell("", h("strong", {}, one.name)), cell(tr`When`, when(one.begun), one.ended ? "" : h("span", { class: "mm-faint" }, tr` not ended`)), cell(tr`By`, one.person || tr`no name`),
    cell(mm.task.modality.plural, String(one.items)), cell(tr`pairs`, tr`${one.pairs}, ${one.labelled} labelled`), cell(tr`hidden`, one.hidden ? String(one.hidden) : tr`none`),
    h("td", { class: "mm-does" }, one.hidden < one.items + one.pairs && one.hidden < one.items ? link(tr`Hide`, tr`Hide ${one.name}`, () => hideThem({ import_id: one.id })) : "",
      one.hidden ? link(tr`Show again`, tr`Show ${one.name} again`, () => hideThem({ import_id: one.id }, false)) : "", link(tr`Remove`, tr`Remove ${one.name}`, () => removeThem({ import_id: one.id }))));
  return h("div", { class: "mm-wide mm-scroll" }, h("table", { class: "mm-table" }, mm.heads(tr`Import`, tr`When`, tr`By`, mm.task.modality.plural, tr`Pairs`, tr`Hidden`, ""), h("tbody", {}, found.map(row))));
}

/* What was changed last, by whom and when */
const changes = element.querySelector("[data-changes]");
const DID = { remove: tr`removed`, hide: tr`hid`, show: tr`showed again`, edit: tr`edited` };
function toldChange({ action, person, at, done, details: d }) {
  const what = action !== "edit" ? amountOf(d.amount) + (d.name ? tr` of the import ${d.name}` : "") : d.item ? tr`“${d.was.name}” to “${d.is.name}”` : d.was ? tr`“${d.was.text}” to “${d.is.text}”` : tr`a text to “${d.is.text}”`;
  return h("li", {}, `${person || tr`Somebody without a name`} ${DID[action]} ${what}`, h("span", { class: "mm-faint" }, ` · ${when(at)}${done ? "" : tr` · files go in a minute`}`));
}
async function listChanges() {
  const found = (await api("changes", { limit: 30 })).changes;
  changes.querySelector("ul").replaceChildren(...(found.length ? found.map(toldChange) : [h("li", { class: "mm-faint" }, tr`Nothing yet.`)]));
}
changes.ontoggle = () => { if (changes.open) attempt(listChanges)(); };
