/* What is to be imported, before it is: its first rows, what cannot be read of it, and a button that says how many; and
   what became of the rows and files of the last import. */
let previewed = null;  // the answer that is shown, and what its source is called
function drawPreview() {
  const box = $("[data-previewed]"), p = previewed?.told;
  box.hidden = !p;
  if (!p) {  // what is no longer shown is not found either
    for (const part of ["[data-passed]", "[data-rows]", "[data-what]", "[data-why]", "[data-tags]"]) $(part).replaceChildren();
    return;
  }
  const all = p.is_whole, ready = p.ready.toLocaleString(), more = p.ready + p.skipped - p.rows.length;
  $("[data-what]").textContent = previewed.name;
  $("[data-tags]").replaceChildren(tag(all ? tr`${ready} ready` : tr`more than ${ready}`, "acc"), p.skipped ? tag(tr`${p.skipped.toLocaleString(tr.locale)} skipped`, "warn") : "");
  $("[data-layout]").replaceChildren(...p.candidates.map((c) => h("option", { value: c.name }, `${c.name}: ${c.about}`)));
  $("[data-layout]").value = p.importer;
  $("[data-why]").textContent = [p.why, ...p.notes].join(" ");
  $("[data-passed]").replaceChildren(p.told.length ? passed(p) : "");
  $("[data-rows]").replaceChildren(...p.rows.filter((r) => !p.told.some((k) => k.row === r.row)).map(previewRow));
  $("[data-more]").textContent = !all ? tr`and more rows` : more > 0 ? tr`and ${count(more, "more row")}` : "";
  $("[data-import]").textContent = all ? tr`Import ${ready}` : tr`Import all`;
  $("[data-import]").disabled = all && !p.ready;
}
const tag = (words, tone = "") => h("span", { class: `mm-tag ${tone}` }, words);
const passedRow = (k) => tr`Row ${k.row}${k.file && !k.reason.includes(k.file) ? ` (${k.file})` : ""}: ${k.reason}`;
function passed(p) {
  const [first, ...others] = p.told.map(passedRow), rest = p.skipped - p.told.length;
  return h("div", { class: "mm-passed" }, mm.icon("warn"), h("div", {}, h("b", {}, tr`${count(p.skipped, "row")} skipped.`), ` ${first}`,
    others.length ? h("details", {}, h("summary", {}, tr`${others.length + rest} more`), h("ul", {}, others.map((one) => h("li", {}, one)), rest > 0 ? h("li", {}, tr`and ${rest} more`) : "")) : ""));
}
function previewRow(r) {
  const plate = h("span", { class: "mm-tile" }, r.picture ? h("img", { src: r.picture, alt: "" }) : ""), fine = (...facts) => h("span", { class: "mm-fine" }, facts.filter(Boolean).join(" · "));
  if (r.reason) return h("li", { class: "mm-row-out" }, plate, h("div", {}, h("span", {}, r.reason), fine(tr`row ${r.row}`, r.file)), tag(tr`skipped`, "warn"));
  const kind = mm.kinds.find((one) => one.name === (r.verdict || $("[data-verdict]").value));
  return h("li", {}, plate, h("div", {}, r.text ? h("span", { class: "mm-text" }, r.text) : h("span", {}, tr`no text: it comes without a pair`),
    fine(r.file, r.span, r.corrected && tr`corrected to “${r.corrected}”`, tr.told(r.split), r.annotator && tr`by ${r.annotator}`, r.comment && `“${r.comment}”`)),
    !r.text ? tag(tr`no text`) : kind ? tag(kind.title, { good: "yes", bad: "no" }[kind.tone]) : tag(tr`to label`));
}

/* Which files and rows an import has to tell of: how many, what it means, the first of them, and all as a table */
const SHOWN = 200;  // names of each kind; the list has all
const FILES = [["left_out", tr`Files in no row, left out`], ["changed", tr`Files that have changed`], ["renamed", tr`Files with another name`], ["gone", tr`Files that are gone`], ["same", tr`Files that were here already, the same`]];
function lists(r) {
  const all = [[tr`Rows that were skipped, and why`, r.skipped_rows, r.skipped.map(passedRow), ""], ...FILES.map(([kind, what]) => [what, r.files[kind], r[kind].map((x) => x.now ? tr`${x.before} is ${x.now} now` : x), r.file_notes[kind]])].filter(([, n]) => n);
  const whole = h("button", { class: "mm-button", type: "button" }, tr`Download all of these as a CSV`), place = h("span", {});
  whole.onclick = guard(async () => fetchFile(place, await api("import_list"), ""));
  return [...all.map(([what, n, names, about]) => h("details", {}, h("summary", {}, `${what}: ${n}`), about ? h("p", { class: "mm-hint" }, about) : "", h("ul", {}, names.slice(0, SHOWN).map((name) => h("li", {}, name)), n > SHOWN ? h("li", { class: "mm-faint" }, tr`and ${n - SHOWN} more, which the CSV has`) : ""))),
    all.length ? h("p", {}, whole, " ", place) : ""];
}
const withoutThose = (r) => r.notes.filter((note) => !Object.values(r.file_notes).includes(note));  // the lists say these
const bar = (share, text) => h("div", { class: "mm-progress" }, h("div", { class: "mm-bar" }, h("i", { style: `width:${100 * share}%` })), h("span", {}, text));
