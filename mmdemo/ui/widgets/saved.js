// Searches that stand under a name for everybody here: saved, opened and removed beside the results.
let saved = [];
async function askSaved() {
  ({ searches: saved } = await mm.patiently(() => api("saved_searches", { task: "image-text" })));
  drawSaved();
}
// What was asked, as a link says it: of a picture only where it was asked by.
const searchState = () => String(new URLSearchParams(Object.entries({ view: "search", task: "image-text", text: found.query, item: found.item, version: found.version, ...wishes() }).filter(([, value]) => value)));
const trying = (f) => async () => { try { await f(); } catch (e) { toast(e.message, true); } };
async function saveThis() {
  if (!(await mm.allows("annotator", tr`Saving a search is for annotators. Sign in as one.`))) return;
  const name = h("input", { type: "text", required: true, maxlength: 120, value: found.query || tr`Like a picture` }), state = searchState();
  if (!(await mm.confirm(tr`Everybody here finds this search under its name, and what it finds then.`, tr`Save`, [h("label", { class: "mm-field" }, tr`Name`, name)]))) return;
  await askSaved();  // another tab may have saved one under this name
  const before = new Map(saved.map((search) => [search.name, search])), there = before.get(name.value.trim());
  if (there?.own && !there.mine && !(await mm.confirm(tr`Somebody else saved “${there.name}”. Save yours in its place? This cannot be undone.`, tr`Save`))) return;
  const made = await keep({ name: name.value, state }), former = before.get(made.name);
  mm.saved(tr`Saved: “${made.name}”`, former && !former.mine ? null : trying(() => (former ? keep(former) : forget(made))));
}
async function keep({ name, state }) {
  const made = await api("save_search", { task: "image-text", name, state });
  await askSaved();
  return made;
}
async function forget({ id }) {
  await api("remove_search", { search: id });
  await askSaved();
}
async function removeSaved(search) {
  const { mine } = search;  // another's would come back as one's own
  if (!mine && !(await mm.confirm(tr`Somebody else saved “${search.name}”. Remove it? This cannot be undone.`, tr`Remove`))) return;
  await forget(search);
  mm.saved(tr`Removed: “${search.name}”`, mine ? trying(() => keep(search)) : null);
  ($("[data-save]") || words).focus();
}
function savedRow(search) {
  const openIt = (e) => { if (e.ctrlKey || e.metaKey || e.shiftKey) return; e.preventDefault(); mm.address.go(search.state); };
  return h("li", {}, h("a", { class: "mm-saved-name", href: `?${search.state}`, title: search.person ? tr`Saved by ${search.person}` : search.name, onclick: openIt }, search.name),
    search.own ? h("button", { class: "mm-saved-remove", type: "button", title: tr`Remove`, "aria-label": tr`Remove the saved search “${search.name}”`, onclick: trying(() => removeSaved(search)) }, mm.icon("bad")) : null);
}
function drawSaved() {
  $("[data-saved]").replaceChildren(...[
    found ? h("button", { class: "mm-link", type: "button", "data-save": true, onclick: trying(saveThis) }, tr`Save this search`) : null,
    saved.length ? h("section", { class: "mm-saved" }, h("h2", {}, tr`Saved searches`), h("ul", { role: "list" }, saved.map(savedRow))) : null,
  ].filter(Boolean));
  drawChips();
}
