const { h, api, newKey, thumb, poll, poke, seconds, upload, toast } = mm;
const $ = (selector) => element.querySelector(selector);
let batch = "", offset = 0, told = {}, layout = "", browsed = 0;  // how often something was browsed
const PAGE = 30;
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; if (message) line.scrollIntoView({ block: "nearest" }); }
const guard = (f) => async (e) => { error(""); try { await f(e); } catch (x) { error(x.message); } };

/* Import: the files go up one by one, then one job on the server reads them */
const [files, folder, zip] = element.querySelectorAll("input[type=file]");
const asTrainer = (f) => guard(async () => { if (await mm.allows("trainer", tr`Importing is for trainers. Sign in as one.`)) f(); });
$("[data-files]").onclick = asTrainer(() => files.click());
$("[data-folder]").onclick = asTrainer(() => folder.click());
const picked = (input) => { const list = [...input.files].map((one) => [one, one.webkitRelativePath || one.name]); input.value = ""; return list; };
async function send(list) {  // files with their paths
  if (!list.length) return;
  const kinds = new Set(list.map(([one]) => mm.kindOfFile(one)).filter(Boolean)), [kind] = kinds;
  if (kinds.size === 1 && kind !== mm.task.modality) {
    mm.task.set(kind.task);
    toast(tr`These are ${kind.plural}: ${kind.title} is chosen for them.`);
  }
  done();
  const mine = (batch = newKey()), box = $("[data-import-state]"), [top] = list[0][1].split("/");
  try {
    for (const [i, [one, path]] of list.entries()) {
      box.replaceChildren(bar(i / list.length, tr`Uploading ${i + 1} of ${list.length}`));
      await upload(one, path, mine);
      if (mine !== batch) return;  // others were taken meanwhile
    }
  } finally { if (mine === batch) box.replaceChildren(); }
  await preview(list.length === 1 || list.every(([, path]) => path.startsWith(`${top}/`)) ? top : count(list.length, "file"));
}
files.onchange = guard(() => send(picked(files)));
folder.onchange = guard(() => send(picked(folder)));
const place = $("[data-drop]");
for (const kind of ["dragenter", "dragover"]) place.addEventListener(kind, (e) => { e.preventDefault(); place.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) place.addEventListener(kind, () => place.classList.remove("over"));
place.addEventListener("drop", (e) => {
  e.preventDefault();
  e.stopPropagation();
  const entries = mm.dropped(e);
  asTrainer(guard(async () => send(await mm.filesBelow(entries))))();
});
const chosen = () => ({ batch: $("[data-source]").value.trim() ? "" : batch, source: $("[data-source]").value.trim(), layout });
async function preview(name = previewed?.name || "") {
  const asked = chosen(), before = asked.layout ? previewed : null;
  previewed = null;
  drawPreview();
  const told = await api("import_preview", { task: mm.task.name, ...asked }).catch((e) => {
    layout = before?.told.importer || "";  // another way to read it is chosen in what was shown
    previewed = before;
    drawPreview();
    throw e;
  });
  if (JSON.stringify(asked) !== JSON.stringify(chosen())) return;  // another was chosen meanwhile
  previewed = { name, told };
  drawPreview();
}
$("[data-named]").onsubmit = (e) => {
  e.preventDefault();
  guard(async () => { layout = ""; await preview(chosen().source.split(/[\\/]/).filter(Boolean).pop()); })();
};
$("[data-path]").onclick = () => {
  const form = $("[data-named]");
  form.hidden = !form.hidden;
  $("[data-path]").setAttribute("aria-expanded", String(!form.hidden));
  if (!form.hidden) $("[data-source]").focus();
};
$("[data-layout]").onchange = guard(() => { layout = $("[data-layout]").value; return preview(); });
$("[data-verdict]").append(...mm.options(mm.kinds));
$("[data-verdict]").onchange = drawPreview;
$("[data-source]").oninput = () => { layout = ""; previewed = null; drawPreview(); };
$("[data-import]").onclick = guard(async () => { importing(await api("import_start", { task: mm.task.name, ...chosen(), verdict: $("[data-verdict]").value, by_reference: Boolean(chosen().source && byReference.checked) })); done(); });
$("[data-clear]").onclick = () => { $("[data-import-state]").replaceChildren(); done(); };
function done() {  // what was chosen is chosen no more
  batch = layout = $("[data-source]").value = "";
  previewed = null;
  drawPreview();
}
const byReference = $("[data-reference] input");
for (const word of ["pause", "resume", "stop"]) $(`[data-${word}]`).onclick = guard(async () => importing(await api(`import_${word}`)));
let shownReport = "";
function importing(s) {
  const on = s.status === "running", waits = s.status === "paused" || s.status === "broken-off";
  $("[data-stop]").hidden = !on && !waits;
  $("[data-pause]").hidden = !on;
  $("[data-resume]").hidden = !waits;
  $("[data-waits]").hidden = !on && !waits;
  if (on) { $("[data-import-state]").replaceChildren(bar(s.total ? s.done / s.total : 0, `${s.phase}: ${s.done}${s.total ? tr` of ${s.total}` : ""}${s.eta_s ? tr`, ${seconds(s.eta_s)} left` : ""}`)); return; }
  if (waits) { shownReport = ""; $("[data-import-state]").replaceChildren(bar(s.total ? s.done / s.total : 0, s.why)); return; }
  if (s.status === "over") return $("[data-import-state]").replaceChildren();  // what came of it is for who may import
  if (s.status === "none" || `${s.id} ${mm.task.name}` === shownReport) return;
  shownReport = `${s.id} ${mm.task.name}`;
  if (s.task !== mm.task.name) return $("[data-import-state]").replaceChildren();  // of another kind, under which it stands
  const r = s.report;
  $("[data-import-state]").replaceChildren(...[
    s.error ? h("p", { class: "mm-error", role: "alert" }, s.error) : h("p", { role: "status" }, tr`${s.stopped ? tr`Stopped. ` : ""}Imported ${r.items} new ${mm.modalityOf(s.task)[r.items === 1 ? "noun" : "plural"]}, ${count(r.pairs, "new pair")} and ${count(r.labels, "label")} from ${s.name}.${r.known || r.skipped_rows ? tr` Of ${count(r.rows || 0, "row")} ${[r.known && tr`${r.known} ${r.known === 1 ? "was" : "were"} here already`, r.skipped_rows && tr`${r.skipped_rows} ${r.skipped_rows === 1 ? "was" : "were"} skipped`].filter(Boolean).join(tr`, `)}.` : ""}${r.outside ? tr` ${r.outside} stay where they are.` : ""}`),
    r?.items && !r.pairs ? h("p", {}, r.items === 1 ? tr`It came without a text: write one for it, or import a table that has one.` : tr`They came without a text: write some for them, or import a table that has them.`) : "",
    r?.items || r?.pairs ? h("p", {}, h("button", { class: "mm-button", type: "button", onclick: guard(() => browseFrom({ what: r.pairs ? "pairs" : "items", source: s.name })) }, r.pairs || r.items !== 1 ? tr`Show them` : tr`Show it`)) : "",
    ...(r ? withoutThose(r).map((note) => h("p", { class: "mm-hint" }, note)) : []),
    ...(r ? lists(r) : [])].filter(Boolean));
  if (part === "browse") browse();
  refresh();
  poke();
}
poll(element, 5000, () => api("import_state"), (s, e) => { if (!e) importing(s); return s && s.status === "running" ? 500 : 5000; });

/* The two parts of the tab */
let part = "import";
function open(name) {
  part = name === "browse" ? name : "import";
  for (const one of element.querySelectorAll("[data-part]")) one.setAttribute("aria-selected", one.dataset.part === part);
  for (const one of element.querySelectorAll("[data-panel]")) one.hidden = one.dataset.panel !== part;
}
for (const one of element.querySelectorAll("[data-part]")) one.onclick = guard(() => { open(one.dataset.part); remember(true); return part === "browse" ? browse() : null; });
async function browseFrom({ what, state = "all", source = "" }) {
  await refresh();  // it knows the sources
  form.elements.what.value = what;
  states();
  Object.assign(form.elements.state, { value: state });
  form.elements.contains.value = form.elements.split.value = "";
  form.elements.source.value = [...form.elements.source.options].some((o) => o.value === source) ? source : "";
  choose([]);
  offset = 0;
  open("browse");
  await browse();
}

/* Browse: pairs with their labels, or pictures, those without a pair too */
const form = $("[data-browse]");
const STATES = { pairs: ["labelled", "unlabelled", ...mm.kinds.map((kind) => kind.name), "hidden"], items: ["labelled", "unlabelled", "unpaired", "hidden"], imports: [] };
const NAMES = { unpaired: tr`without a pair` };
function states() {
  form.elements.state.replaceChildren(h("option", { value: "all" }, tr`any`), ...STATES[form.elements.what.value].map((s) => h("option", { value: s }, NAMES[s] || tr.told(s))));
  for (const box of form.querySelectorAll("[data-filter]")) box.hidden = form.elements.what.value === "imports";
  form.elements.contains.placeholder = form.elements.what.value === "pairs" ? tr`words in the text` : tr`part of the file's name`;
}
states();
const card = (row, text, span, ...facts) => h("figure", { class: row.hidden ? "mm-unseen" : null }, chooser(row), h("a", { href: `?view=${mm.viewOf(mm.task.name)}&task=${mm.task.name}&item=${row.item}`, title: tr`Open it` }, mm.medium(row.item, text, span)),
  h("figcaption", {}, h("span", { class: "mm-text", title: text }, text), h("span", { class: "mm-faint" }, facts.join(" · "))));
const pairCard = (r) => card(r, r.corrected || r.text, r, ...(r.hidden ? [tr`hidden`] : []), tr.told(r.verdict) || tr`unlabelled`, tr.told(r.split) || tr`across the split`, tr.told(r.source));
const itemCard = (r) => card(r, r.name, null, ...(r.hidden ? [tr`hidden`] : []), ...[r.width ? `${r.width} × ${r.height}` : r.duration ? tr`${r.duration.toFixed(1)} s` : null].filter(Boolean), r.pairs ? tr`${r.labelled} of ${r.pairs} pair${r.pairs > 1 ? "s" : ""} labelled` : tr`no pair`, tr.told(r.source));
// What is browsed, for the address: the form as it was last asked with.
const FILTERS = { text: "contains", only: "state", split: "split", from: "source" };
const remember = mm.address.keep("data", element, { restore, state: () => (part === "browse" ? { part, ...told } : {}) });
function note() {
  const { what, ...values } = Object.fromEntries(new FormData(form));
  told = { what: what === "pairs" ? "" : what, at: offset ? String(offset) : "" };
  if (what !== "imports") for (const [name, field] of Object.entries(FILTERS)) told[name] = values[field] === "all" ? "" : values[field];
}
async function restore(link) {
  open(link.part || (["what", "at", ...Object.keys(FILTERS)].some((name) => link[name]) ? "browse" : "import"));
  form.elements.what.value = link.what in STATES ? link.what : "pairs";
  states();
  offset = Math.max(0, Number.parseInt(link.at, 10) || 0);
  if (link.from) {
    await refresh();  // it knows the sources
    if (![...form.elements.source.options].some((o) => o.value === link.from)) { mm.address.gone(tr`Nothing of the source ${link.from} is here`, tr`all sources are shown instead`); link = { ...link, from: "" }; }
  }
  for (const [name, field] of Object.entries(FILTERS)) form.elements[field].value = link[name] || (field === "state" ? "all" : "");
  choose([]);
  // Nobody waits for the answers: what is pressed meanwhile, as More, stands in the address at once.
  for (const asked of [link.from ? null : refresh(), part === "browse" ? browse() : null]) asked?.catch((e) => error(e.message));
}
async function browse() {
  note();
  remember(true);
  const { what, ...values } = Object.fromEntries(new FormData(form)), turn = (browsed += 1);
  const box = $("[data-pairs]"), still = () => turn === browsed, how = { doing: tr`Reading what is here`, shape: what === "imports" ? "table" : "cards" };
  box.setAttribute("aria-busy", "true");
  const answer = await mm.awaited(box, how, () => api(what, { task: mm.task.name, ...(what === "imports" ? {} : values), offset, limit: PAGE }), still).catch((e) => { if (still()) box.removeAttribute("aria-busy"); throw e; });
  if (!still()) return;  // another was asked for meanwhile
  box.removeAttribute("aria-busy");
  const found = answer[what];
  $("[data-page]").textContent = found.length ? tr`${offset + 1} to ${offset + found.length}` : tr`none`;
  $("[data-before]").disabled = !offset;
  $("[data-after]").disabled = found.length < PAGE;
  const bare = !found.length && what === "pairs" && !offset && !values.contains ? (await api("items", { task: mm.task.name, split: values.split, source: values.source, state: "unpaired", limit: PAGE })).items.length : 0;
  if (turn !== browsed) return;
  box.replaceChildren(!found.length ? nothing(what, bare, values) : what === "imports" ? importsTable(found) : h("div", { class: "mm-pairs" }, found.map(what === "pairs" ? pairCard : itemCard)));
  drawChosen();
}
// That nothing fits the filters; where what came without a text does, that it is here.
function nothing(what, bare, values) {
  const words = what === "imports" ? tr`Nothing that is here was imported.` : what === "pairs" ? tr`No pair fits these filters.` : tr`No ${mm.task.modality.noun} fits these filters.`;
  if (!bare) return h("p", { class: "mm-note" }, words);
  const { noun, plural } = mm.task.modality, are = bare === PAGE ? tr`${PAGE} ${plural} or more have` : bare === 1 ? tr`1 ${noun} has` : tr`${bare} ${plural} have`;
  return h("p", { class: "mm-note" }, tr`${words} ${are} no text yet. `, h("button", { class: "mm-link", type: "button", onclick: guard(() => browseFrom({ what: "items", state: "unpaired", source: values.source })) }, tr`Show them`));
}
form.elements.what.onchange = () => { choose([]); states(); offset = 0; guard(browse)(); };
$("[data-browse]").onsubmit = (e) => { e.preventDefault(); offset = 0; guard(browse)(); };
$("[data-before]").onclick = guard(() => { offset = Math.max(0, offset - PAGE); return browse(); });
$("[data-after]").onclick = guard(() => { offset += PAGE; return browse(); });

/* Export, back up, restore */
const fetchFile = (box, answer, text) => {
  const link = h("a", { class: "mm-link", href: answer.path, download: "" }, tr`Download it again`);
  box.replaceChildren(h("span", {}, `${text} `), link);
  link.click();
};
const wanted = () => ({ task: mm.task.name, format: $("[data-format]").value, every_label: $("[data-every]").checked });
async function foresee() {  // what a format is and cannot carry is said before
  const asked = wanted(), r = await api("export_preview", asked);
  if (JSON.stringify(asked) !== JSON.stringify(wanted())) return;  // another was chosen meanwhile
  const lost = r.leaves_out.length ? tr`This format leaves out: ${r.leaves_out.join("; ")}.` : tr`Nothing is left out.`;
  $("[data-foreseen]").textContent = tr`${r.about[0].toUpperCase()}${r.about.slice(1)}, of ${count(r.pairs, "pair")} with ${count(r.labels, "label")}. ${lost}${r.removed ? tr` ${count(r.removed, "label")} on what was removed stand in removed.log.` : ""}`;
}
$("[data-format]").onchange = $("[data-every]").onchange = guard(() => { $("[data-export-state]").replaceChildren(); return foresee(); });
$("[data-export]").onclick = guard(async () => {
  const box = $("[data-export-state]");
  box.textContent = tr`Exporting…`;
  try { const r = await api("export", wanted()); fetchFile(box, r, tr`${r.pairs} pairs, ${r.labels} labels.`); } catch (e) { box.textContent = ""; throw e; }
});
$("[data-backup]").onclick = guard(async () => {
  const box = $("[data-backup-state]");
  box.textContent = tr`Packing…`;
  try { const r = await api("backup", { with_outside: $("[data-with-outside] input").checked }); fetchFile(box, r, tr`${(r.bytes / 1e6).toFixed(1)} MB.${r.outside ? tr` ${r.outside} files that stay where they are, are not in it.` : ""}`); } catch (e) { box.textContent = ""; throw e; }
});
const OWNERS = tr`Restoring is for the owner.`;
$("[data-restore]").onclick = guard(async () => { if (await mm.allows("owner", tr`${OWNERS} Sign in as one.`)) zip.click(); else error(OWNERS); });
zip.onchange = guard(async () => {
  const one = zip.files[0];
  zip.value = "";
  if (!one) return;
  if (!/\.zip$/i.test(one.name)) throw new Error(tr`${one.name} is no backup: choose a zip that Back up has made.`);
  if (!confirm(tr`Replace this workspace by the backup? What is here now is kept in a folder of its own.`)) return;
  const box = $("[data-backup-state]"), to = newKey();
  box.textContent = tr`Restoring…`;
  try { await upload(one, one.name, to); const r = await api("restore", { batch: to }); box.textContent = tr`Restored. What was here before is a workspace of its own, ${r.kept.includes("/") ? r.kept : tr`backups/${r.kept} in this one`}: the last three stay.${r.lacking ? tr` ${r.lacking} files are not in the backup.` : ""}${r.outside ? tr` ${r.outside} are read from folders outside: where this machine does not know one, import it again.` : ""} Who may come in is as it was here${r.grants ? tr`: ${r.grants} invitations and tokens of the backup let in nobody` : ""}.`; toast(tr`Restored.`); poke(); await browse(); await refresh(); } catch (e) { box.textContent = ""; throw e; }
});
// The last imports beside it, and how far each is labelled.
function listImports(found) {
  const box = $("[data-imports]");
  box.hidden = !found.length;
  box.querySelector("ul").replaceChildren(...found.map((one) => h("li", {}, h("b", {}, tr.told(one.name)), h("span", { class: "mm-fine" }, one.pairs ? tr`${one.labelled} of ${one.pairs} labelled` : tr`${count(one.items, mm.task.modality.noun, mm.task.modality.plural)} without a text`),
    one.pairs ? h("span", { class: "mm-bar", role: "img", "aria-label": tr`${Math.round((100 * one.labelled) / one.pairs)} % labelled` }, h("i", { style: `width:${(100 * one.labelled) / one.pairs}%` })) : "")));
}
$("[data-imports] button").onclick = guard(() => browseFrom({ what: "imports" }));
async function refresh() {
  const about = mm.task.name, read = () => api("data", { task: about }), said = $("[data-foreseen]");
  const d = await (said.textContent ? mm.patiently(read) : mm.awaited(said, { doing: tr`Reading what is here` }, read));
  if (about !== mm.task.name) return;
  $("[data-place]").textContent = d.folder;
  $("[data-count]").textContent = `${count(d.items, mm.task.modality.noun, mm.task.modality.plural)}, ${count(d.pairs, "pair")}`;
  $("[data-size]").textContent = tr`${mm.many(d.items, mm.task.modality.noun, mm.task.modality.plural)}, ${d.pairs} pairs, ${d.labels} labels ever made, those that came with it too. The whole workspace has ${(d.media_bytes / 1e6).toFixed(1)} MB of media; ${(d.free_bytes / 1e9).toFixed(1)} GB free on this disk.`;
  $("[data-kinds]").replaceChildren(...d.kinds.map((kind) => h("li", {}, tr.told(kind))));
  $("[data-path]").hidden = $("[data-reference]").hidden = !d.paths;
  $("[data-with-outside]").hidden = !d.outside;
  const sources = $("[name=source]"), was = sources.value;
  sources.replaceChildren(h("option", { value: "" }, tr`any`), ...d.sources.map((s) => h("option", { value: s }, tr.told(s))));
  sources.value = was;
  const format = $("[data-format]"), chosen = format.value;
  if (format.dataset.of !== d.formats.join()) {  // a task's files have a place in some formats only
    format.dataset.of = d.formats.join();
    format.replaceChildren(...d.formats.map((f) => h("option", { value: f }, f)));
    if (d.formats.includes(chosen)) format.value = chosen;
  }
  listImports(d.imports);
  await foresee();
}
$(".mm-data-top").append(mm.task.chooser(() => { offset = 0; choose([]); form.elements.source.value = ""; done(); refresh(); if (part === "browse") browse(); named(); poke(); }));
function named() {
  const { plural } = mm.task.modality, code = (name) => h("code", {}, name);
  form.elements.what.options[1].textContent = plural;
  $("[data-title]").textContent = tr`Add ${plural} and texts`;
  const takes = tr`${[plural]} alone, or with a table that has ${code("file_name")} and ${code("text")}.`;
  $("[data-takes]").replaceChildren(...takes);
}
place.prepend(mm.icon("folder"));
$("[data-export]").prepend(mm.icon("download"));
$("[data-backup]").prepend(mm.icon("backup"));
mm.receive("data", (list) => asTrainer(guard(() => send(list)))());
named();
mm.sayForWhom();
