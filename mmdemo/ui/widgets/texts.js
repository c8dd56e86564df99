// Texts that are compared with an item, as rows: the word of each, its percent, its bar in three zones, and its words to
// be edited in their place. Pictures and recordings share them; `FITS` are the words of a picture, `SAID` of a recording.
const IN_WORDS = { fits: "yes", "can't tell": "maybe", "doesn't fit": "no" };
const FITS = { fits: tr`fits`, "can't tell": tr`can't tell`, "doesn't fit": tr`doesn't fit` };
const SAID = { fits: tr`said`, "can't tell": tr`can't tell`, "doesn't fit": tr`not said` };
const { many } = mm;

// The answer in one sentence. What the model can't tell is not said to fit, nor not to.
function sentence(scores, noun = tr`picture`) {
  const all = scores.length, told = scores.filter((s) => s.zone).length;
  const fit = scores.filter((s) => s.zone === "fits").length, maybe = scores.filter((s) => s.zone === "can't tell").length;
  if (!told) return tr`${many(all, "text is", "texts are")} compared with this ${noun}`;
  if (all === 1) return fit ? tr`This text fits the ${noun}` : maybe ? tr`The model can't tell whether this text fits` : tr`This text doesn't fit the ${noun}`;
  if (fit === all) return tr`All ${all} texts fit this ${noun}`;
  if (fit) return tr`${fit} of ${all} texts ${fit === 1 ? "fits" : "fit"} this ${noun}`;
  if (maybe === all) return tr`The model can't tell whether these texts fit`;
  return maybe ? tr`No text surely fits this ${noun}` : tr`No text fits this ${noun}`;
}

// The bar of a probability: cut at the limits of the words, which the server gives; between them is no number.
function scale(zone, probability, zones) {
  const cuts = zones ? `--cut-no:${100 * zones.does_not}%;--cut-yes:${100 * zones.fits}%` : "";
  return h("span", { class: "mm-scale", "data-cut": Boolean(zones), style: cuts, "aria-hidden": "true" },
    zone === "can't tell" ? h("i", { class: "between" }) : h("i", { style: `width:${Math.max(0.5, 100 * probability)}%` }));
}
// The words under which the bars stand, over their zones.
const axis = (zones, words = FITS) => h("div", { class: "mm-axis", "aria-hidden": "true" },
  h("span", { style: `grid-template-columns: minmax(max-content, ${zones.does_not}fr) minmax(max-content, ${(zones.fits - zones.does_not).toFixed(2)}fr) minmax(max-content, ${(1 - zones.fits).toFixed(2)}fr)` },
    h("span", {}, words["doesn't fit"]), h("span", {}, words["can't tell"]), h("span", {}, words.fits)), h("span", {}, tr`you say`));

// One text: `marked` are its marks, `press` shows where it is, `change` takes its new words, `kind` is what its percent is
// a probability of, `more` stands below it.
function textRow(score, i, { zones, model, marked, press, change, words = FITS, kind = "fits", why = "", more = null }) {
  const { text, probability, measured, similarity, zone, doubt, note } = score, told = measured && zone !== "can't tell";
  const near = mm.number(similarity.toFixed(2).replace("-0.00", "0.00"), { kind: "similarity", version: model });
  const pick = h("button", { class: "mm-pick", type: "button", "aria-pressed": "false", onclick: () => press(i) }, h("span", { class: "mm-text" }, text));
  const because = doubt || note || (measured && zone === "can't tell" ? why || tr`The model doesn't know. Your answer helps most here.` : "");
  const main = h("div", { class: "mm-fit", "data-score": i, "data-is": IN_WORDS[zone] || "" },
    pick,
    h("span", { class: "mm-says" }, words[zone] || zone, told && !doubt ? " " : null, told && !doubt ? mm.share(probability, { kind, version: model }) : null),
    h("button", { class: "mm-edit-text", type: "button", title: tr`Edit this text`, "aria-label": tr`Edit: ${text}`, onclick: () => edit() }, mm.icon("edit")),
    measured && !doubt ? scale(zone, probability, zones) : null,
    because || more ? h("small", { "data-why": "" }, because) : null,
    more || h("span", { class: "mm-near", "data-always": !measured }, tr`similarity `, near));
  const edit = () => editText(main, text, (said) => change(i, said));
  pick.addEventListener("keydown", (e) => { if (e.key === "F2" || (e.key === "Enter" && pick.getAttribute("aria-pressed") === "true")) { e.preventDefault(); edit(); } });
  main.addEventListener("dblclick", (e) => { if (!e.target.closest(".mm-ask")) edit(); });
  return h("li", {}, main, marked);
}
// The words of a row in a field, in their place: Enter or leaving it saves, Escape does not.
function editText(row, text, save) {
  if (row.querySelector("textarea")) return;
  const pick = row.querySelector(".mm-pick"), field = h("textarea", { class: "mm-editing", rows: 1, maxlength: 2000, "aria-label": tr`New words for: ${text}` });
  let over = false;
  const grow = () => { field.style.height = "0"; field.style.height = `${field.scrollHeight + 2}px`; };
  const done = (words) => {
    if (over) return;
    over = true;
    field.replaceWith(pick);
    row.classList.remove("editing");
    if (words !== null && words.trim() !== text) save(words); else pick.focus();
  };
  field.value = text;
  field.onkeydown = (e) => {
    if (e.key === "Enter" && !e.isComposing) { e.preventDefault(); done(field.value); }
    if (e.key === "Escape") { e.stopPropagation(); done(null); }
  };
  field.onblur = () => done(field.value);
  field.oninput = grow;
  pick.replaceWith(field);
  row.classList.add("editing");
  grow();
  field.focus();
  field.select();
}

// The rows that wait for their first answer.
const waitingRows = (list) => h("ul", { class: "mm-fits waiting", role: "list" }, list.map((text) => h("li", {}, h("div", { class: "mm-fit" }, h("span", { class: "mm-text" }, text), h("span", { class: "mm-scale" })))));

/* The texts are the lines of a field, which is shown on request; else they are rows. `box` holds the rows, `check` has them
   scored, `emptied` hears that none is left, `edited` that somebody writes, `rewritten` that others stand there, `rows` are shown with the rows alone. */
function textList(field, another, { box, lines, rows = [], check, emptied, edited, rewritten = () => {} }) {
  let fresh = "";  // the text that was written last
  const list = () => field.value.split("\n").filter((t) => t.trim());
  const rewrite = (all) => { field.value = all.join("\n"); field.dataset.given = ""; rewritten(); };
  function change(i, said) {
    const all = list();
    all.splice(i, 1, ...said.split("\n").map((t) => t.trim()).filter(Boolean));
    fresh = said.trim();
    rewrite(all);
    if (all.length) return check();
    box.replaceChildren();
    return emptied();
  }
  function asLines(open) {
    field.hidden = !open;
    for (const node of [another, box, ...rows]) node.hidden = open;
    lines.textContent = open ? tr`Show as rows` : tr`Edit all as lines`;
    lines.setAttribute("aria-pressed", open);
    if (open) field.focus();
  }
  function add(more = another.value) {
    if (field.hidden) {
      const all = list(), other = [...new Set(more.split("\n").map((t) => t.trim()))].filter((t) => t && !all.includes(t));
      another.value = "";
      if (other.length) { fresh = other[0]; rewrite([...all, ...other]); }
    } else asLines(false);
    return check();
  }
  another.form.onsubmit = (e) => { e.preventDefault(); add(); };
  lines.onclick = () => (field.hidden ? asLines(true) : add());
  another.onpaste = (e) => {
    const pasted = e.clipboardData.getData("text").trim();
    if (pasted.includes("\n")) { e.preventDefault(); add(pasted); }
  };
  field.onkeydown = (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); add(); } };
  field.oninput = () => { field.dataset.given = ""; rewritten(); edited(); };
  // Which row was written last, of these; then none was.
  const written = (all) => { const at = all.findIndex((t) => t === fresh); fresh = ""; return at; };
  return { list, change, written };
}

// The marks of an item's texts, each drawn once, and what was saved of them, told below the texts with an Undo: a toast
// tells it once another item is shown. `shown` gives the item that is.
function receiptsOf(element, shown) {
  const made = new Map(), saved = new Map();
  function draw() {
    const undo = [...saved.values()].pop();
    for (const line of element.querySelectorAll("[data-receipts]")) {
      line.replaceChildren(...(saved.size ? [tr`Saved: ${many(saved.size, "answer", "answers")}. `, h("button", { class: "mm-link", type: "button", onclick: () => undo() }, tr`Undo`), line.nextSibling ? " · " : ""] : []));
    }
  }
  const tell = (item, key) => (message, undo = null) => {
    if (item !== shown()) return mm.saved(message, undo);
    saved.delete(key);
    if (undo) saved.set(key, undo); else mm.saved(message);
    draw();
  };
  return {
    tell,
    marks(text, how) {
      const key = [how.origin, how.version, text].join("\n");
      if (!made.has(key)) made.set(key, mm.answers.marks(shown(), text, { ...how, saved: tell(shown(), text) }));
      return made.get(key);
    },
    clear() { made.clear(); saved.clear(); draw(); },
  };
}
