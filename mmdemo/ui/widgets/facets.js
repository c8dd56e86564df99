// What is searched among: answers and sources, each with how many pictures it leaves. Nothing chosen means all.
const FACETS = { answers: tr`Answered by people`, sources: tr`Came from` };
const chosen = { answers: [], sources: [] };
const CALLED = { unlabelled: tr`Not yet`, samples: tr`Samples`, upload: tr`Uploaded here`, ...Object.fromEntries(mm.kinds.map((kind) => [kind.name, kind.title])) };
const filtered = () => Object.values(chosen).some((values) => values.length);
let counted = null;  // the counts of the newest answer

// A link names them in one text each: names of answers hold no comma, sources no line's end.
const BETWEEN = { answers: ",", sources: "\n" };
const facetsOfLink = ({ only = "", from = "" }) => { for (const [name, text] of [["answers", only], ["sources", from]]) chosen[name] = text.split(BETWEEN[name]).filter(Boolean); };
const facetsForLink = () => ({ only: chosen.answers.join(BETWEEN.answers), from: chosen.sources.join(BETWEEN.sources) });

// Also what is chosen of which nothing is left now: it stays chosen.
const values = (name) => [...new Set([...Object.keys(counted[name]), ...chosen[name]])];
function pick(name, ticked) {
  chosen[name] = values(name).every((one) => ticked.includes(one)) ? [] : ticked;
  searchAgain();
}
function toggle(name, value, on) {
  const before = chosen[name].length ? chosen[name] : values(name);
  const ticked = values(name).filter((one) => (one === value ? on : before.includes(one)));
  if (ticked.length) pick(name, ticked); else drawFacets(counted);  // the only one stays ticked: none would mean all
}
const isOnly = (name, value) => chosen[name].length === 1 && chosen[name][0] === value;
const only = (name, value) => pick(name, isOnly(name, value) ? [] : [value]);
function clearFacets() {
  for (const name of Object.keys(chosen)) chosen[name] = [];
  searchAgain();
}
function facetRow(name, value, n) {
  const said = CALLED[value] || tr.told(value), on = !chosen[name].length || chosen[name].includes(value);
  const box = h("input", { type: "checkbox", checked: on, "data-facet": `${name} ${value}`, onchange: () => toggle(name, value, box.checked) });
  return h("li", {}, h("label", {}, box, h("span", { title: said }, said), h("span", { class: "mm-count" }, n.toLocaleString(tr.code))),
    h("button", { class: "mm-link", type: "button", "aria-label": `${isOnly(name, value) ? tr`All` : tr`Only ${said}`}: ${FACETS[name]}`, onclick: () => only(name, value) }, isOnly(name, value) ? tr`all` : tr`only`));
}
function drawFacets(facets) {
  counted = facets;
  const facetsBox = $("[data-facets]"), had = facetsBox.contains(document.activeElement) && document.activeElement.dataset.facet;
  facetsBox.replaceChildren(...Object.entries(FACETS).filter(([name]) => Object.keys(facets[name]).length > 1 || chosen[name].length).map(([name, title]) => h("fieldset", { class: "mm-facet" }, h("legend", {}, title), h("ul", { role: "list" }, Object.entries(facets[name]).map(([value, n]) => facetRow(name, value, n))))),
    filtered() ? h("button", { class: "mm-link", type: "button", onclick: clearFacets }, tr`Clear the filters`) : "");
  if (had) facetsBox.querySelector(`[data-facet="${CSS.escape(had)}"]`)?.focus();
  drawChips();
}
// On a narrow page a row of chips stands for the filters, and opens them with what is saved.
function drawChips() {
  const rail = $(".mm-rail"), opener = (icon, words) => h("button", { class: "mm-chip", type: "button", "aria-expanded": String(rail.classList.contains("open")), onclick: (e) => e.currentTarget.setAttribute("aria-expanded", rail.classList.toggle("open")) }, mm.icon(icon), words);
  if (!counted || target === "text") return $("[data-chips]").replaceChildren(...(saved.length || found ? [opener("star", tr`Saved searches`)] : []));
  const chip = (words, on, press) => h("button", { class: "mm-chip", type: "button", "aria-pressed": String(on), onclick: press }, words);
  const sources = Object.keys(counted.sources);
  $("[data-chips]").replaceChildren(
    opener("filter", tr`Filter`),
    chip(tr`All`, !filtered(), clearFacets), chip(CALLED.unlabelled, isOnly("answers", "unlabelled"), () => only("answers", "unlabelled")),
    ...(sources.length > 1 ? sources.slice(0, 3) : []).map((source) => chip(CALLED[source] || source, isOnly("sources", source), () => only("sources", source))));
}
