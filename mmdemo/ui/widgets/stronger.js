// Once, that a model which may be stronger fits this machine: how large it is, and why it is thought so. The Hub is not
// asked for that: nothing calls out because a page is opened.
const CLOSED = "mmdemo.stronger-closed";  // the model of which somebody did not want to hear more
const closed = (id) => { try { if (id) localStorage.setItem(CLOSED, id); return localStorage.getItem(CLOSED); } catch { return id || ""; } };
async function tellOfStronger() {
  const { model, trial } = await api("offered_model", { task: "image-text", ask_hub: false }).catch(() => ({ model: null }));
  if (!model || closed() === model.id) return;
  const tried = trial?.model === model.id && trial.status === "done" && trial.compared ? trial : null;
  const better = tried && tried.compared.rows[1].gain.low > 0, box = $("[data-stronger]");
  box.replaceChildren(h("div", { class: "mm-tip", role: "note" }, mm.icon("star"),
    h("span", {}, h("b", {}, better ? tr`A stronger model fits this machine. ` : tr`A model that may be stronger fits this machine. `), `${model.architecture}. `, tried ? tried.message : tr`Published, not measured here: ${tr.figure(model.published)}.`),
    h("button", { class: "mm-button", type: "button", onclick: () => mm.version.openPart("models") }, tried ? tr`See it` : tr`Try it`, model.at_hand ? null : h("span", { class: "mm-fine" }, model.size_mb < 1000 ? tr`${Math.round(model.size_mb)} MB` : tr`${(model.size_mb / 1000).toFixed(1)} GB`)),
    h("button", { class: "mm-shut", type: "button", "aria-label": tr`Not now`, onclick: () => { closed(model.id); box.replaceChildren(); } }, mm.icon("bad"))));
}
