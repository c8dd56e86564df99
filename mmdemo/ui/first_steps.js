/* The first steps of whoever is new: ask, label some, tune, see what changed. They stand at the foot of the window, go
   on by what one does and not by reading, and are gone for good when they are done or closed. */
mm.firstSteps = (() => {
  const { h, many } = mm;
  const KEPT = "mmdemo.first-steps", LABELS = 20;
  const ASKS = ["align", "caption", "search", "explain", "transcript", "find_moments", "describe_video"];
  const STEPS = [
    { name: tr`Ask`, title: tr`Ask`, tab: "Image", says: () => tr`Write what you see in a picture, or search for something, and see how well it fits.` },
    { name: tr`Label`, title: tr`Label ${LABELS}`, tab: "Label", says: ({ labels }) => (labels ? tr`${many(LABELS - labels, "answer")} to go: each says whether a text fits, so that the model can learn from it.` : tr`Say of some pairs whether the text fits. The model learns from your answers.`) },
    { name: tr`Tune`, title: tr`Tune`, tab: "Fine-tune", says: () => tr`Let the model learn from the answers. On this machine it takes seconds.` },
    { name: tr`See`, title: tr`See what changed`, tab: "Fine-tune", says: () => tr`Look at the same questions before and after, and keep the new version if it is better.` },
  ];
  let state = { at: 0, labels: 0, left: false };  // the step that is next, labels stored from this browser, whether it was closed
  const read = () => { try { const kept = localStorage.getItem(KEPT); begun ||= Boolean(kept); state = { ...state, ...JSON.parse(kept || "{}") }; } catch { /* forbidden: it is new at each visit */ } };
  let begun = false, answered = false;  // in this browser; of some task here, by whomever
  function keep(changes) {
    begun = true;
    Object.assign(state, changes);
    try { localStorage.setItem(KEPT, JSON.stringify(state)); } catch { /* forbidden */ }
    draw();
  }
  let box = null, may = false;
  const leave = () => keep({ left: true });
  let drawn = "";
  function draw() {
    if (!box) return;
    const shown = may && !state.left && state.at < STEPS.length, looks = JSON.stringify([shown, state]);
    if (looks === drawn) return;  // a button that has the focus keeps it
    drawn = looks;
    box.hidden = !shown;
    document.documentElement.toggleAttribute("data-steps", shown);
    if (!shown) return;
    const now = STEPS[state.at];
    box.replaceChildren(
      h("ol", {}, STEPS.map((step, i) => h("li", { class: i < state.at ? "done" : "", "aria-current": i === state.at ? "step" : null }, i < state.at ? mm.icon("good") : "", step.title))),
      h("p", { role: "status" }, h("b", {}, tr`${state.at + 1} of ${STEPS.length} `), now.says(state)),
      h("button", { class: "mm-button", type: "button", "data-show-step": now.name, onclick: () => mm.openTab(now.tab) }, tr`Show me`),
      h("button", { class: "mm-calm", type: "button", "aria-label": tr`Close the first steps`, onclick: leave }, mm.icon("bad")));
  }
  function put(into) {
    read();
    box = into;
    drawn = "";
    draw();
  }
  // What was done, by the name of its operation. One may go ahead of the order: the later step tells that the ones before it are known.
  const reach = (step, changes = {}) => { if (state.at < step || Object.keys(changes).length) keep({ at: Math.max(state.at, step), ...changes }); };
  let acted = false;  // in a view: what a page asks by itself is nobody's question
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, ({ target }) => { acted ||= Boolean(target.closest?.(".tabitem")); }, true);
  function did({ detail: { name, answer } }) {
    if (state.left || state.at >= STEPS.length) return;
    if (ASKS.includes(name) && acted) reach(1);
    if (["label", "label_result", "label_span", "take_back"].includes(name)) {
      read();  // another tab may have counted
      const labels = Math.max(0, state.labels + (name === "take_back" ? -1 : 1));
      reach(labels >= LABELS ? 2 : state.at, { labels });
    }
    if (name === "start_training") reach(3);
    if (name === "decide" && state.at === 3) reach(4);
    if (name === "training" && state.at === 3 && answer?.decision) reach(4);
  }
  addEventListener("mm-did", did);
  addEventListener("storage", (e) => { if (e.key === KEPT) { read(); draw(); } });
  // Whoever cannot label or tune here is not told to, nor who comes to where answers are already.
  addEventListener("mm-status", ({ detail: { you, goal } }) => {
    answered ||= goal?.have >= LABELS;
    may = (you.alone || ["trainer", "owner"].includes(you.role)) && (begun || !answered);
    draw();
  });
  return { put };
})();
