const { h, api, newKey, thumb, poll, poke, seconds, upload, toast } = mm;
const $ = (selector) => element.querySelector(selector);
let batch = "", offset = 0, told = {}, layout = "", browsed = 0;  // how often something was browsed
const PAGE = 30;
function error(message) { const line = $("[data-error]"); line.textContent = message || ""; line.hidden = !message; }
const guard = (f) => async (e) => { error(""); try { await f(e); } catch (x) { error(x.message); } };

/* Import: the files go up one by one, then one job on the server reads them */
const [files, folder, zip] = element.querySelectorAll("input[type=file]");
const asTrainer = (f) => guard(async () => { if (await mm.allows("trainer", "Importing is for trainers. Sign in as one.")) f(); });
$("[data-files]").onclick = asTrainer(() => files.click());
$("[data-folder]").onclick = asTrainer(() => folder.click());
const picked = (input) => { const list = [...input.files].map((one) => [one, one.webkitRelativePath || one.name]); input.value = ""; return list; };
async function send(list) {  // files with their paths
  if (!list.length) return;
  const kinds = new Set(list.map(([one]) => mm.modalities.find((m) => one.type.startsWith(`${m.name}/`))).filter(Boolean)), [kind] = kinds;
  if (kinds.size === 1 && kind.name !== mm.task.modality.name) throw new Error(`These are ${kind.plural}. Choose ${kind.title} above, then take them again.`);
  batch = newKey();
  $("[data-source]").value = layout = "";
  const box = $("[data-import-state]");
  try {
    for (const [i, [one, path]] of list.entries()) {
      box.replaceChildren(bar(i / list.length, `Uploading ${i + 1} of ${list.length}`));
      await upload(one, path, batch);
    }
  } catch (e) { box.replaceChildren(); throw e; }
  box.replaceChildren(h("p", {}, `${list.length} file${list.length > 1 ? "s" : ""} uploaded.`));
  await preview();
}
files.onchange = guard(() => send(picked(files)));
folder.onchange = guard(() => send(picked(folder)));
// What is dropped comes as what is chosen does: a folder with all below it
async function below(entry) {
  const ask = (f) => new Promise(f);
  if (entry instanceof File) return [[entry, entry.name]];
  if (entry.isFile) return [[await ask((ok, no) => entry.file(ok, no)), entry.fullPath.slice(1)]];
  const reader = entry.createReader(), found = [];
  for (let some; (some = await ask((ok, no) => reader.readEntries(ok, no))).length;) for (const one of some) found.push(...await below(one));
  return found;
}
const place = $("[data-drop]");
for (const kind of ["dragenter", "dragover"]) place.addEventListener(kind, (e) => { e.preventDefault(); place.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) place.addEventListener(kind, () => place.classList.remove("over"));
place.addEventListener("drop", (e) => {
  e.preventDefault();
  const entries = [...e.dataTransfer.items].map((item) => item.webkitGetAsEntry() || item.getAsFile()).filter(Boolean);  // gone once this returns
  asTrainer(guard(async () => { const list = []; for (const one of entries) list.push(...await below(one)); await send(list); }))();
});
const chosen = () => ({ batch: $("[data-source]").value.trim() ? "" : batch, source: $("[data-source]").value.trim(), layout });
const bar = (share, text) => h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, text));
async function preview() {
  const p = await api("import_preview", { task: mm.task.name, ...chosen() });
  $("[data-import]").disabled = $("[data-read]").hidden = $("[data-clear]").hidden = false;
  $("[data-layout]").replaceChildren(...p.candidates.map((c) => h("option", { value: c.name }, `${c.name}: ${c.about}`)));
  $("[data-layout]").value = p.importer;
  $("[data-why]").textContent = p.why;
  const picture = (r) => r.picture ? h("img", { src: r.picture, alt: "", width: 64 }) : "";
  const columns = [["text", (r) => r.text || h("span", { class: "mm-faint" }, "no text: it comes without a pair")],
    ...["span", "verdict", "corrected", "split", "annotator", "comment"].filter((name) => p.rows.some((r) => r[name])).map((name) => [name, (r) => r[name]])];  // an empty one says nothing
  $("[data-preview-table]").replaceChildren(...p.notes.map((n) => h("p", { class: "mm-hint" }, n)), h("p", {}, "The first rows:"), h("div", { class: "mm-scroll" }, h("table", { class: "mm-table mm-preview" },
    mm.heads("row", "", "file", ...columns.map(([name]) => name)),
    h("tbody", {}, p.rows.map((r) => r.reason ? h("tr", { class: "mm-error" }, h("td", {}, String(r.row)), h("td", {}, ""), h("td", {}, r.file), h("td", { colspan: columns.length }, r.reason)) :
      h("tr", {}, [r.row, picture(r), r.file, ...columns.map(([, of]) => of(r))].map((v) => h("td", {}, v instanceof Node ? v : String(v ?? "")))))))));
}
$("[data-preview]").onclick = guard(() => { layout = ""; return preview(); });
$("[data-layout]").onchange = guard(() => { layout = $("[data-layout]").value; return preview(); });
$("[data-verdict]").append(...mm.options(mm.kinds));
$("[data-source]").oninput = () => { layout = ""; $("[data-read]").hidden = true; $("[data-import]").disabled = !chosen().source && !batch; };
$("[data-import]").onclick = guard(async () => { importing(await api("import_start", { task: mm.task.name, ...chosen(), verdict: $("[data-verdict]").value, by_reference: Boolean(chosen().source && byReference.checked) })); done(); });
$("[data-clear]").onclick = () => { $("[data-import-state]").replaceChildren(); done(); };
function done() {  // what was chosen is chosen no more
  batch = layout = $("[data-source]").value = "";
  $("[data-read]").hidden = $("[data-clear]").hidden = $("[data-import]").disabled = true;
  $("[data-preview-table]").replaceChildren();
}
const byReference = $("[data-reference] input");
for (const word of ["pause", "resume", "stop"]) $(`[data-${word}]`).onclick = guard(async () => importing(await api(`import_${word}`)));
const SHOWN = 200;  // names of each kind; the list has all
const FILES = [["left_out", "Files in no row, left out"], ["changed", "Files that have changed"], ["renamed", "Files with another name"], ["gone", "Files that are gone"], ["same", "Files that were here already, the same"]];
function lists(r) {  // which files and rows an import has to tell of: how many, the first of them, and all as a table
  const skipped = r.skipped.map((k) => `Row ${k.row}${k.file && !k.reason.includes(k.file) ? ` (${k.file})` : ""}: ${k.reason}`);
  const all = [["Rows that were skipped, and why", r.skipped_rows, skipped], ...FILES.map(([kind, what]) => [what, r.files[kind], r[kind].map((x) => x.now ? `${x.before} is ${x.now} now` : x)])].filter(([, n]) => n);
  const whole = h("button", { class: "mm-button", type: "button" }, "Download all of these as a CSV"), place = h("span", {});
  whole.onclick = guard(async () => fetchFile(place, await api("import_list"), ""));
  return [...all.map(([what, n, names]) => h("details", {}, h("summary", {}, `${what}: ${n}`), h("ul", {}, names.slice(0, SHOWN).map((name) => h("li", {}, name)), n > SHOWN ? h("li", { class: "mm-faint" }, `and ${n - SHOWN} more, which the CSV has`) : ""))),
    all.length ? h("p", {}, whole, " ", place) : ""];
}
let shownReport = "";
function importing(s) {
  const on = s.status === "running", waits = s.status === "paused" || s.status === "broken-off";
  $("[data-stop]").hidden = !on && !waits;
  $("[data-pause]").hidden = !on;
  $("[data-resume]").hidden = !waits;
  if (on) { $("[data-import-state]").replaceChildren(bar(s.total ? s.done / s.total : 0, `${s.phase}: ${s.done}${s.total ? ` of ${s.total}` : ""}${s.eta_s ? `, ${seconds(s.eta_s)} left` : ""}`)); return; }
  if (waits) { shownReport = ""; $("[data-import-state]").replaceChildren(bar(s.total ? s.done / s.total : 0, s.why)); return; }
  if (s.status === "over") return $("[data-import-state]").replaceChildren();  // what came of it is for who may import
  if (s.status === "none" || `${s.id} ${mm.task.name}` === shownReport) return;
  shownReport = `${s.id} ${mm.task.name}`;
  if (s.task !== mm.task.name) return $("[data-import-state]").replaceChildren();  // of another kind, under which it stands
  const r = s.report;
  $("[data-import-state]").replaceChildren(...[
    s.error ? h("p", { class: "mm-error", role: "alert" }, s.error) : h("p", { role: "status" }, `${s.stopped ? "Stopped. " : ""}Imported ${r.items} new ${mm.modalityOf(s.task)[r.items === 1 ? "noun" : "plural"]}, ${count(r.pairs, "new pair")} and ${count(r.labels, "label")} from ${s.name}.${r.known || r.skipped_rows ? ` Of ${count(r.rows || 0, "row")} ${[r.known && `${r.known} ${r.known === 1 ? "was" : "were"} here already`, r.skipped_rows && `${r.skipped_rows} ${r.skipped_rows === 1 ? "was" : "were"} skipped`].filter(Boolean).join(", ")}.` : ""}${r.outside ? ` ${r.outside} stay where they are.` : ""}`),
    ...((r && r.notes) || []).map((note) => h("p", { class: "mm-hint" }, note)),
    ...(r ? lists(r) : [])].filter(Boolean));
  browse();
  refresh();
  poke();
}
poll(element, 5000, () => api("import_state"), (s, e) => { if (!e) importing(s); return s && s.status === "running" ? 500 : 5000; });

/* Browse: pairs with their labels, or pictures, those without a pair too */
const form = $("[data-browse]");
const STATES = { pairs: ["labelled", "unlabelled", ...mm.kinds.map((kind) => kind.name), "hidden"], items: ["labelled", "unlabelled", "unpaired", "hidden"], imports: [] };
const NAMES = { unpaired: "without a pair" };
function states() {
  form.elements.state.replaceChildren(h("option", { value: "all" }, "any"), ...STATES[form.elements.what.value].map((s) => h("option", { value: s }, NAMES[s] || s)));
  for (const box of form.querySelectorAll("[data-filter]")) box.hidden = form.elements.what.value === "imports";
  form.elements.contains.placeholder = form.elements.what.value === "pairs" ? "words in the text" : "part of the file's name";
}
states();
const card = (row, text, span, ...facts) => h("figure", { class: row.hidden ? "mm-unseen" : null }, chooser(row), h("a", { href: `?view=${mm.viewOf(mm.task.name)}&task=${mm.task.name}&item=${row.item}`, title: "Open it" }, mm.medium(row.item, text, span)),
  h("figcaption", {}, h("span", { class: "mm-text", title: text }, text), h("span", { class: "mm-faint" }, facts.join(" · "))));
const pairCard = (r) => card(r, r.corrected || r.text, r, ...(r.hidden ? ["hidden"] : []), r.verdict || "unlabelled", r.split || "across the split", r.source);
const itemCard = (r) => card(r, r.name, null, ...(r.hidden ? ["hidden"] : []), ...[r.width ? `${r.width} × ${r.height}` : r.duration ? `${r.duration.toFixed(1)} s` : null].filter(Boolean), r.pairs ? `${r.labelled} of ${r.pairs} pair${r.pairs > 1 ? "s" : ""} labelled` : "no pair", r.source);
// What is browsed, for the address: the form as it was last asked with.
const FILTERS = { text: "contains", only: "state", split: "split", from: "source" };
const remember = mm.address.keep("data", element, { restore, state: () => told });
function note() {
  const { what, ...values } = Object.fromEntries(new FormData(form));
  told = { what: what === "pairs" ? "" : what, at: offset ? String(offset) : "" };
  if (what !== "imports") for (const [name, field] of Object.entries(FILTERS)) told[name] = values[field] === "all" ? "" : values[field];
}
async function restore(link) {
  form.elements.what.value = link.what in STATES ? link.what : "pairs";
  states();
  offset = Math.max(0, Number.parseInt(link.at, 10) || 0);
  if (link.from) {
    await refresh();  // it knows the sources
    if (![...form.elements.source.options].some((o) => o.value === link.from)) { mm.address.gone(`Nothing of the source ${link.from} is here`, "all sources are shown instead"); link = { ...link, from: "" }; }
  }
  for (const [name, field] of Object.entries(FILTERS)) form.elements[field].value = link[name] || (field === "state" ? "all" : "");
  choose([]);
  await Promise.all([link.from ? null : refresh(), browse()]).catch((e) => error(e.message));
}
async function browse() {
  note();
  remember(true);
  const { what, ...values } = Object.fromEntries(new FormData(form)), turn = (browsed += 1);
  const found = (await api(what, { task: mm.task.name, ...(what === "imports" ? {} : values), offset, limit: PAGE }))[what];
  if (turn !== browsed) return;  // another was asked for meanwhile
  $("[data-page]").textContent = found.length ? `${offset + 1} to ${offset + found.length}` : "none";
  $("[data-before]").disabled = !offset;
  $("[data-after]").disabled = found.length < PAGE;
  const none = h("p", { class: "mm-note" }, what === "imports" ? "Nothing that is here was imported." : what === "pairs" ? "No pair fits these filters." : `No ${mm.task.modality.noun} fits these filters.`);
  $("[data-pairs]").replaceChildren(!found.length ? none : what === "imports" ? importsTable(found) : h("div", { class: "mm-pairs" }, found.map(what === "pairs" ? pairCard : itemCard)));
  drawChosen();
}
form.elements.what.onchange = () => { choose([]); states(); offset = 0; guard(browse)(); };
$("[data-browse]").onsubmit = (e) => { e.preventDefault(); offset = 0; guard(browse)(); };
$("[data-before]").onclick = guard(() => { offset = Math.max(0, offset - PAGE); return browse(); });
$("[data-after]").onclick = guard(() => { offset += PAGE; return browse(); });

/* Export, back up, restore */
const fetchFile = (box, answer, text) => {
  const link = h("a", { class: "mm-link", href: answer.path, download: "" }, "Download it again");
  box.replaceChildren(h("span", {}, `${text} `), link);
  link.click();
};
const wanted = () => ({ task: mm.task.name, format: $("[data-format]").value, every_label: $("[data-every]").checked });
async function foresee() {  // what a format is and cannot carry is said before
  const asked = wanted(), r = await api("export_preview", asked);
  if (JSON.stringify(asked) !== JSON.stringify(wanted())) return;  // another was chosen meanwhile
  const lost = r.leaves_out.length ? `This format leaves out: ${r.leaves_out.join("; ")}.` : "Nothing is left out.";
  $("[data-foreseen]").textContent = `${r.about[0].toUpperCase()}${r.about.slice(1)}, of ${count(r.pairs, "pair")} with ${count(r.labels, "label")}. ${lost}${r.removed ? ` ${count(r.removed, "label")} on what was removed stand in removed.log.` : ""}`;
}
$("[data-format]").onchange = $("[data-every]").onchange = guard(() => { $("[data-export-state]").replaceChildren(); return foresee(); });
$("[data-export]").onclick = guard(async () => {
  const box = $("[data-export-state]");
  box.textContent = "Exporting…";
  try { const r = await api("export", wanted()); fetchFile(box, r, `${r.pairs} pairs, ${r.labels} labels.`); } catch (e) { box.textContent = ""; throw e; }
});
$("[data-backup]").onclick = guard(async () => {
  const box = $("[data-backup-state]");
  box.textContent = "Packing…";
  try { const r = await api("backup", { with_outside: $("[data-with-outside] input").checked }); fetchFile(box, r, `${(r.bytes / 1e6).toFixed(1)} MB.${r.outside ? ` ${r.outside} files that stay where they are, are not in it.` : ""}`); } catch (e) { box.textContent = ""; throw e; }
});
const OWNERS = "Restoring is for the owner.";
$("[data-restore]").onclick = guard(async () => { if (await mm.allows("owner", `${OWNERS} Sign in as one.`)) zip.click(); else error(OWNERS); });
zip.onchange = guard(async () => {
  const one = zip.files[0];
  zip.value = "";
  if (!one) return;
  if (!/\.zip$/i.test(one.name)) throw new Error(`${one.name} is no backup: choose a zip that Back up has made.`);
  if (!confirm("Replace this workspace by the backup? What is here now is kept in a folder of its own.")) return;
  const box = $("[data-backup-state]"), to = newKey();
  box.textContent = "Restoring…";
  try { await upload(one, one.name, to); const r = await api("restore", { batch: to }); box.textContent = `Restored. What was here before is a workspace of its own, ${r.kept.includes("/") ? r.kept : `backups/${r.kept} in this one`}: the last three stay.${r.lacking ? ` ${r.lacking} files are not in the backup.` : ""}${r.outside ? ` ${r.outside} are read from folders outside: where this machine does not know one, import it again.` : ""} Who may come in is as it was here${r.grants ? `: ${r.grants} invitations and tokens of the backup let in nobody` : ""}.`; toast("Restored."); poke(); await browse(); await refresh(); } catch (e) { box.textContent = ""; throw e; }
});
async function refresh() {
  const d = await api("data", { task: mm.task.name });
  $("[data-size]").textContent = `${d.folder}: ${d.items} ${mm.task.modality.plural}, ${d.pairs} pairs, ${d.labels} labels ever made, those that came with it too. The whole workspace has ${(d.media_bytes / 1e6).toFixed(1)} MB of media; ${(d.free_bytes / 1e9).toFixed(1)} GB free on this disk.`;
  $("[data-kinds]").replaceChildren(...d.kinds.map((kind) => h("li", {}, kind)));
  $("[data-source]").hidden = $("[data-preview]").hidden = $("[data-reference]").hidden = !d.paths;
  $("[data-with-outside]").hidden = !d.outside;
  const sources = $("[name=source]"), was = sources.value;
  sources.replaceChildren(h("option", { value: "" }, "any"), ...d.sources.map((s) => h("option", { value: s }, s)));
  sources.value = was;
  const format = $("[data-format]"), chosen = format.value;
  if (format.dataset.of !== d.formats.join()) {  // a task's files have a place in some formats only
    format.dataset.of = d.formats.join();
    format.replaceChildren(...d.formats.map((f) => h("option", { value: f }, f)));
    if (d.formats.includes(chosen)) format.value = chosen;
  }
  await foresee();
}
element.querySelector(".mm-data").prepend(mm.task.chooser(() => { offset = 0; choose([]); form.elements.source.value = ""; refresh(); browse(); named(); poke(); }));
function named() { for (const node of [form.elements.what.options[1], $("[data-plural]")]) node.textContent = mm.task.modality.plural; }
named();
mm.sayForWhom();
