// The Search view: the best matches, the weaker ones folded, each with what people said of it.
const PAGE = 60;  // results at once: more than are judged by all that is known of them, so that where the good ones end is seen
let asked = {};  // by: also or only by the picture; all: whether the weaker ones are unfolded
let target = "media";

/* What is asked for, as the link says it */
const wishes = () => mm.answers.wishes(element, { ...asked, find: target === "media" ? "" : target });
function wishFor(link) {
  mm.answers.choose(element, link);
  find(link.find === "text" ? "text" : "media");
  asked = { by: Boolean(link.by), all: Boolean(link.all) };
}
function find(what) {
  target = what;
  for (const b of element.querySelectorAll("[data-find]")) b.setAttribute("aria-pressed", b.dataset.find === what);
}
// Words that stand there are sought too, and the button says so; without a picture it asks for one.
function named() {
  const button = $("[data-similar]"), by = !state.item ? "By a picture" : words.value.trim() ? "By this picture and the words" : "By this picture";
  button.replaceChildren(state.item ? h("img", { src: thumb(state.item, 96), alt: "" }) : mm.icon("image"), h("span", {}, by));
  $("[data-other]").hidden = !state.item;
}

/* The answer in one sentence, and what stands below it */
const titleOf = (result) => result.text || result.file;
// Which results stand above the fold: the good ones; where there is none, those that may fit; of likes, which have no
// percent, all. What somebody has answered stays among them, to be answered otherwise.
function above(results, byLikeness) {
  const sure = results.some((r) => r.fit === "best"), fits = (r) => r.fit === "best" || (!sure && r.fit === "weaker"), any = results.some(fits);
  return results.map((r) => byLikeness || fits(r) || (any && Boolean(r.verdict)));
}
function headline(results, stands, byLikeness) {
  const fit = results.filter((r, i) => stands[i] && r.fit !== "none"), n = fit.length, sure = fit.some((r) => r.fit === "best");
  if (!results.length) return "Nothing is left with these filters";
  if (byLikeness) return target === "text" ? "The texts most alike" : "The pictures most alike";
  if (!n) return "No good match";
  return `${n === PAGE ? "At least " : ""}${sure ? many(n, "good match", "good matches") : many(n, "possible match", "possible matches")}`;
}
const hit = (result, rank, query, model) => mm.answers.card(result, rank, query, model, {
  openTitle: "Align this picture",
  open: async () => {
    open("align");
    const still = turn(), item = await api("medium", { item: result.item, task: "image-text" });
    if (!still()) return;
    captions.value = [...new Set([query, ...item.texts].filter(Boolean))].join("\n");
    show(item.item, item.name);
    align();
  },
  similarTitle: "More like this picture",
  similar: () => { words.value = ""; show(result.item, titleOf(result)); search({ by: true }); },
  then: () => { if (words.value.trim() === query) search(asked); },  // what people say of answers moves the others
});
const textHit = (result, rank, byPicture, model) => h("div", { class: "mm-line" },
  h("div", { class: "mm-caption" }, h("span", { class: "mm-text" }, result.text), mm.answers.likely(result, model)),
  state.item && byPicture ? marks(state.item, result.text, { origin: "search", rank, version: model }) : null);

// The weaker ones, closed until somebody wants them: a few are seen beside how many they are.
function folded(nodes, peek, what) {
  const shown = h("summary", {}, mm.icon("right"), h("h2", {}, `${many(nodes.length, "weaker match", "weaker matches")}`), h("span", { class: "mm-small" }, what),
    h("span", { class: "mm-peek", "aria-hidden": "true" }, peek.slice(0, 5).map((r) => h("img", { src: thumb(r.item, 96), alt: "", loading: "lazy" }))));
  const fold = h("details", { class: "mm-fold", open: Boolean(asked.all), ontoggle: () => { asked = { ...asked, all: fold.open }; remember(); } }, shown, grid(nodes));
  return fold;
}
const grid = (nodes) => h("div", { class: target === "text" ? "mm-lines" : "mm-cards" }, nodes);

// That what people said of answers has moved them.
function reordered({ ticked = 0, crossed = 0 }) {
  if (!ticked && !crossed) return null;
  const did = [ticked && "what is like the ticked moved up", crossed && ticked && "what is like the crossed moved down", crossed && !ticked && "what was crossed moved down"].filter(Boolean).join(", ");
  return h("div", { class: "mm-tip mm-learned", role: "status" }, mm.icon("star"),
    h("span", {}, h("b", {}, `${many(ticked + crossed, "answer")}: results reordered. `), `${capital(did)}. The answers also go to the next fine-tune.`));
}

function search({ by: byPicture = false, all = false } = {}) {
  const box = $("[data-results]"), query = words.value.trim();
  asked = { by: byPicture, all };
  if (!query && !byPicture) return fail(box, new Error("There is nothing to look for. Write some words, or search by a picture."));
  if (byPicture && !state.item) return fail(box, new Error("There is no picture to search by. Drop one anywhere on the page, or choose a file."));
  remember(true);
  const body = { k: PAGE, query, item: byPicture ? state.item : "", version: state.version, ...mm.answers.request(wishes()), everything: true };
  return into(box, () => api("search", body), (answer) => draw(box, answer, query, byPicture));
}
function draw(box, answer, query, byPicture) {
  const byLikeness = target === "text" ? Boolean(query) : byPicture;
  const nodes = answer.results.map((r, i) => (target === "text" ? textHit(r, i + 1, byPicture, answer.model) : hit(r, i + 1, query, answer.model)));
  const stands = above(answer.results, byLikeness), best = nodes.filter((_, i) => stands[i]), weak = nodes.filter((_, i) => !stands[i]);
  box.replaceChildren(...[
    h("div", { class: "mm-head" }, h("h1", { "aria-live": "polite" }, headline(answer.results, stands, byLikeness)), h("span", { class: "mm-small" }, byLikeness && query && byPicture ? `by the picture and “${query}”` : "")),
    mm.answers.told(answer), reordered(answer),
    best.length ? grid(best) : null,
    weak.length ? folded(weak, target === "text" ? [] : answer.results.filter((_, i) => !stands[i]), query ? `probably not ${query}` : "probably not of this picture") : null,
  ].filter(Boolean));
}

function wireSearch() {
  const picked = (e) => { if ($("[data-results]").children.length) search(asked); e?.preventDefault(); };
  $("form.mm-search").onsubmit = (e) => { e.preventDefault(); search(); };
  $("[data-similar]").onclick = () => (state.item ? search({ by: true }) : file.click());
  $("[data-other]").onclick = () => file.click();
  $("[data-other]").append(mm.icon("upload"));
  $(".mm-ask-box").prepend(mm.icon("search"));
  for (const b of element.querySelectorAll("[data-find]")) b.onclick = () => { find(b.dataset.find); picked(); };
  for (const name of ["state", "source"]) $(`[data-${name}]`).onchange = picked;
  words.addEventListener("input", named);
  named();
}
