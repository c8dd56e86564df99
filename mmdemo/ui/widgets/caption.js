// The Caption view: one caption, with what people said of such, and what else was considered.
const ORIGIN = { class: tr`a class the model sees`, kind: tr`what several classes have in common`, thing: tr`what it sees beside its classes`, labelled: tr`a text that other pictures are labelled with`, confirmed: tr`a text that this picture is labelled with`, written: tr`written by the captioner` };
const SAYS = { confirmed: tr`This picture is labelled`, written: tr`The captioner writes` };
const capital = (words) => words[0].toUpperCase() + words.slice(1);
const judged = (c, version) => marksOf(c.text, { origin: "caption", version, claimed: c.judged === null ? null : c.score });
function propose() {
  const box = $("[data-captions]"), { item } = state;
  if (!item) return fail(box, new Error(tr`There is no picture yet. Drop one anywhere on the page, or choose a sample.`));
  remember();
  return into(box, () => api("caption", { item, version: state.version }), (answer) => {
    if (item !== state.item) return;
    const [best, ...others] = answer.captions;
    box.replaceChildren(...[...(best ? bestCaption(best, answer.model) : noCaption(answer.note)), ...considered(others, answer.model)]);
    if (best) lightCaption(best.text);
  }, { doing: tr`Looking for words that fit`, shape: "title" });
}
// Where the caption is: nothing is said where that cannot be shown.
async function lightCaption(text) {
  const { item } = state, { maps, notes } = await api("explain", { item, texts: [text], version: state.version }).catch(() => ({ maps: [], notes: [""] }));
  if (item !== state.item || notes[0]) return;
  lights.caption = { maps, notes, texts: [text], at: 0 };
  relight();
}
function bestCaption(c, version) {
  const form = ownCaption(tr`A better caption`), box = judged(c, version);
  form.hidden = !draftOf(state.item);
  for (const b of box.children) if (b.children.length === 0) b.append(h("span", {}, b.classList.contains("good") ? tr`Right` : b.classList.contains("bad") ? tr`Wrong` : b.getAttribute("aria-label").split(":")[0]));
  const better = h("button", { class: "mm-button", type: "button", "aria-expanded": String(!form.hidden), onclick: () => {
    form.hidden = !form.hidden;
    better.setAttribute("aria-expanded", !form.hidden);
    if (!form.hidden) form.querySelector("input").focus();
  } }, mm.icon("edit"), tr`Write a better one`);
  const sure = c.source === "confirmed" ? [] : [`${capital(tr.told(c.sure))}, `, mm.share(c.score, { task: "image-text", version, kind: "caption", of: c.source }, { class: "mm-ask" }), tr`. `];
  return [
    h("div", { class: "mm-told mm-caption best", "aria-live": "polite" },
      h("p", { class: "mm-fine" }, SAYS[c.source] || tr`The model would say`), h("h1", { class: "mm-text", tabindex: "0" }, c.text),
      sure.length ? [h("p", {}, ...sure, mm.answers.agreed(c, "image-text")), h("p", { class: "mm-fine" }, capital(tr`${ORIGIN[c.source]}.`))] : null),
    h("div", { class: "mm-judge" }, box, better), form];
}
const noCaption = (note) => [h("div", { class: "mm-told", "aria-live": "polite" }, h("h1", {}, note), h("p", {}, tr`It is kept as your answer, and the model can learn from it.`)), ownCaption(tr`A caption of your own`)];
const considered = (list, version) => (!list.length ? [] : [h("h2", {}, tr`It also considered`), h("ul", { class: "mm-fits", role: "list" }, list.map((c) => h("li", {},
  h("div", { class: "mm-fit mm-caption", "data-is": "yes" }, h("span", { class: "mm-text" }, c.text),
    h("span", { class: "mm-says" }, ...(c.source === "confirmed" ? [] : [tr.told(c.sure), " ", mm.share(c.score, { task: "image-text", version, kind: "caption", of: c.source })])),
    scale("", c.score, null), h("small", {}, capital(tr`${ORIGIN[c.source]}.`))),
  judged(c, version))))]);
// A caption that somebody is writing stays when the view is drawn anew.
let draft = { item: "", text: "" };
const draftOf = (item) => (draft.item === item ? draft.text : "");
const ownCaption = (name) => h("form", { class: "mm-add", onsubmit: (e) => { e.preventDefault(); write(e.target); } },
  h("input", { type: "text", maxlength: 2000, value: draftOf(state.item), oninput: (e) => { draft = { item: state.item, text: e.target.value }; }, "aria-label": name, placeholder: tr`In one sentence, what is in the picture?` }), h("button", { class: "mm-button primary", type: "submit" }, tr`Save`));
function write(form) {
  const text = form.querySelector("input").value.trim();
  if (text) mm.save("label_result", { item: state.item, text, verdict: mm.confirms, origin: "caption" }).receipt.then(() => { draft = { item: "", text: "" }; propose(); }, (e) => fail($("[data-captions]"), e));
}
