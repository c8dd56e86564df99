// The texts of Align as rows: the word of each, its percent, its bar in three zones, and its words to be edited in place.
const IN_WORDS = { fits: "yes", "can't tell": "maybe", "doesn't fit": "no" };
const { many } = mm;

// The answer in one sentence. What the model can't tell is not said to fit, nor not to.
function sentence(scores) {
  const all = scores.length, told = scores.filter((s) => s.zone).length;
  const fit = scores.filter((s) => s.zone === "fits").length, maybe = scores.filter((s) => s.zone === "can't tell").length;
  if (!told) return `${many(all, "text is", "texts are")} compared with this picture`;
  if (all === 1) return fit ? "This text fits the picture" : maybe ? "The model can't tell whether this text fits" : "This text doesn't fit the picture";
  if (fit === all) return `All ${all} texts fit this picture`;
  if (fit) return `${fit} of ${all} texts ${fit === 1 ? "fits" : "fit"} this picture`;
  if (maybe === all) return "The model can't tell whether these texts fit";
  return maybe ? "No text surely fits this picture" : "No text fits this picture";
}

// The bar of a probability: cut at the limits of the words, which the server gives; between them is no number.
function scale(zone, probability, zones) {
  const cuts = zones ? `--cut-no:${100 * zones.does_not}%;--cut-yes:${100 * zones.fits}%` : "";
  return h("span", { class: "mm-scale", "data-cut": Boolean(zones), style: cuts, "aria-hidden": "true" },
    zone === "can't tell" ? h("i", { class: "between" }) : h("i", { style: `width:${Math.max(0.5, 100 * probability)}%` }));
}
// The words under which the bars stand, over their zones.
const axis = (zones) => h("div", { class: "mm-axis", "aria-hidden": "true" },
  h("span", { style: `grid-template-columns: minmax(max-content, ${zones.does_not}fr) minmax(max-content, ${(zones.fits - zones.does_not).toFixed(2)}fr) minmax(max-content, ${(1 - zones.fits).toFixed(2)}fr)` },
    h("span", {}, "doesn't fit"), h("span", {}, "can't tell"), h("span", {}, "fits")), h("span", {}, "you say"));

// One text: `marked` are its marks, `press` shows where it is, `change` takes its new words.
function textRow(score, i, { zones, model, marked, press, change }) {
  const { text, probability, measured, similarity, zone, doubt, note } = score, told = measured && zone !== "can't tell";
  const near = mm.number(similarity.toFixed(2).replace("-0.00", "0.00"), { kind: "similarity", version: model });
  const pick = h("button", { class: "mm-pick", type: "button", "aria-pressed": "false", onclick: () => press(i) }, h("span", { class: "mm-text" }, text));
  const why = doubt || note || (measured && zone === "can't tell" ? "The model doesn't know. Your answer helps most here." : "");
  const main = h("div", { class: "mm-fit", "data-score": i, "data-is": IN_WORDS[zone] || "" },
    pick,
    h("span", { class: "mm-says" }, zone, told ? " " : null, told ? mm.share(probability, { kind: "fits", version: model }) : null),
    h("button", { class: "mm-edit-text", type: "button", title: "Edit this text", "aria-label": `Edit: ${text}`, onclick: () => edit() }, mm.icon("edit")),
    measured ? scale(zone, probability, zones) : null,
    why ? h("small", {}, why) : null,
    h("span", { class: "mm-near", "data-always": !measured }, "similarity ", near));
  const edit = () => editText(main, text, (words) => change(i, words));
  pick.addEventListener("keydown", (e) => { if (e.key === "F2" || (e.key === "Enter" && pick.getAttribute("aria-pressed") === "true")) { e.preventDefault(); edit(); } });
  main.addEventListener("dblclick", (e) => { if (!e.target.closest(".mm-ask")) edit(); });
  return h("li", {}, main, marked);
}
// The words of a row in a field, in their place: Enter or leaving it saves, Escape does not.
function editText(row, text, save) {
  if (row.querySelector("textarea")) return;
  const pick = row.querySelector(".mm-pick"), field = h("textarea", { class: "mm-editing", rows: 1, maxlength: 2000, "aria-label": `New words for: ${text}` });
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
