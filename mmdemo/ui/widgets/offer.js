// The better model, one click away: what is offered, trying it on this collection's pairs, taking it
const offerBox = $("[data-offer]");
let offering = 0;  // the newest drawing: an older one that is answered later is dropped
async function drawOffer() {
  const turn = ++offering, task = chosenTask(), o = await ask("offered_model").catch(() => null);
  if (turn !== offering || task !== chosenTask()) return;
  if (!o?.model) return offerBox.replaceChildren(o?.sentence ? h("p", { class: "mm-hint" }, o.sentence) : "");
  const m = o.model, parts = { tried: h("div", {}), line: h("p", { class: "mm-hint", role: "status" }), does: h("div", { class: "mm-row" }) };
  offerBox.replaceChildren(h("section", { class: "mm-offer", "aria-label": tr`A model that may be better` },
    h("h4", {}, tr`${m.architecture} may be better here`),
    h("p", {}, tr`${m.id}: ${m.at_hand ? tr`on this machine already` : tr`${mb(m.size_mb)} to download`}, fits this machine's memory. ${m.about}`),
    h("p", { class: "mm-faint" }, tr`Published, not measured here: ${tr.figure(m.published)}.`),
    parts.tried, parts.line, parts.does));
  const trial = o.trial?.model === m.id ? o.trial : null;
  if (trial?.status === "running") watchTrial(m, parts, task, turn); else drawTrial(m, parts, task, trial);
}
const does = (words, act, more = {}) => h("button", { class: "mm-button", type: "button", ...more, onclick: async (e) => {
  error("");
  e.target.disabled = true;
  try { await act(); } catch (x) { error(x.message); drawOffer(); }
} }, words);
function drawTrial(m, parts, task, trial) {
  const begin = does(m.pairs > 1 ? tr`Try it on your ${m.pairs} validation pairs` : m.at_hand ? tr`Try whether it works here` : tr`Download it`, async () => {
    await api("try_model", { task, model: m.id });
    watchTrial(m, parts, task, offering);
  }, { "data-try": true });
  parts.line.textContent = [trial?.message, trial?.refused].filter(Boolean).join(" ") || (m.pairs > 1 ? "" : m.held_out ? tr`Too few validation pairs are labelled here: it is tested on the ${m.held_out} held-out ones before it is used.` : tr`No pairs are labelled here, so the published figure is the only reason.`);
  parts.tried.replaceChildren(trial?.compared ? comparedGrid(trial.compared) : "");
  parts.does.replaceChildren(...(trial?.status === "done" ? [useIt(m, parts, task, trial)] : [begin]));
}
function useIt(m, parts, task, trial) {
  const better = trial.compared?.rows[1].gain.low > 0, anyway = Boolean(trial.refused);
  const take = async () => {
    parts.line.textContent = anyway ? tr`Loading ${m.id}…` : tr`Testing it on the held-out pairs…`;
    const r = await api("take_model", { task, model: m.id, anyway });
    if (!r.taken) return drawTrial(m, parts, task, { ...trial, refused: r.sentence });
    toast(tr`${m.id} is in use. ${r.sentence}`);
    refreshData();
    drawPart();
    poke();
  };
  return does(anyway ? tr`Use it all the same` : tr`Use it`, take, { class: `mm-button${better && !anyway ? " primary" : ""}`, "data-take-offer": true });
}
function watchTrial(m, parts, task, turn) {
  parts.does.replaceChildren(does(tr`Stop`, () => api("stop_loading", { task })));
  parts.tried.replaceChildren();
  const look = async () => {
    if (turn !== offering || task !== chosenTask()) return;
    const trial = await api("model_trial", { task }).catch(() => null);
    if (turn !== offering) return;
    if (trial && trial.status !== "running") return drawTrial({ ...m, at_hand: m.at_hand || trial.status === "done" }, parts, task, trial);
    if (trial) parts.line.textContent = trial.message;
    setTimeout(look, 700);
  };
  look();
}
