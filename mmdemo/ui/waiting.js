/* What is waited for: grey lines in the shape of what comes, and after a second a sentence that says what it is and how long
it took before in this browser. What stands in a box already stays, paler, until the answer takes its place.

    mm.into(box, () => api("search", body), (answer) => box.replaceChildren(...), { doing: tr`Searching the pictures`, shape: "cards" })

asks until the server answers, drops what a newer question in the same box has overtaken, and shows what was refused there.
mm.awaited(box, how, ask) is its first half: for who shows the answer, or what was refused, in a way of their own;
mm.waits(box, how) only shows that something is waited for. */
(() => {
  const { h } = mm;
  const GREY_MS = 150, SAID_MS = 1000, LONG_MS = 5000, LONGER = 2;  // what is there sooner is not worth a flash; times what is usual
  const KEPT = "mmdemo.took";
  let loading = true;  // the model of the task that is open, by the newest status
  addEventListener("mm-task", () => { loading = true; });
  addEventListener("mm-status", (e) => { loading = e.detail.model.state !== "ready"; });

  // How long each took lately, in ms, by what was done.
  let took = {};
  try { took = JSON.parse(localStorage.getItem(KEPT) || "{}"); } catch { /* a browser that keeps nothing, or something else */ }
  function learn(doing, ms) {
    took[doing] = Math.round(took[doing] ? 0.6 * took[doing] + 0.4 * ms : ms);
    try { localStorage.setItem(KEPT, JSON.stringify(took)); } catch { /* it is known until the page is left */ }
  }

  const lines = (...widths) => widths.map((width) => h("i", { style: `width:${width}%` }));
  const several = (n, make) => Array.from({ length: n }, (_, i) => make(i));
  const SHAPES = {
    text: () => lines(96, 88, 60),
    title: () => [h("i", { class: "tall", style: "width:55%" }), ...lines(30)],
    rows: () => several(4, (i) => h("div", {}, lines(70 - 12 * (i % 3), 100))),
    list: () => several(5, (i) => h("div", { class: "aside" }, h("b"), h("div", {}, lines(58 - 8 * (i % 3), 30)))),
    cards: () => several(10, (i) => h("div", {}, h("b"), lines(72 - 14 * (i % 3)))),
    table: () => several(6, (i) => h("div", {}, lines(94 - 7 * (i % 3)))),
  };
  const grey = (shape) => h("div", { class: `mm-grey ${shape}`, "aria-hidden": "true" }, SHAPES[shape]());

  function sentence(doing, ms) {
    const usual = took[doing], what = doing || tr`Working`;
    if (loading) return tr`${what}… the first answer waits for the model to load.`;
    if (ms >= LONG_MS && (!usual || ms > LONGER * usual)) return tr`${what}… it takes longer than usual.`;
    return usual >= SAID_MS ? tr`${what}… usually about ${mm.seconds(usual / 1000)}.` : tr`${what}… it takes a few seconds.`;
  }
  const own = (box) => [...box.children].filter((node) => node.matches(".mm-grey, .mm-working"));
  const clear = (box) => { for (const node of own(box)) node.remove(); };

  // Begins to show that something is waited for; `put(words)` says something else there, `over()` ends it. `say(node)` puts
  // the sentence elsewhere; `still()`: nothing newer is asked for in this box.
  function waits(box, { doing = "", shape = "text", say = null } = {}, still = () => true) {
    const begun = performance.now(), timers = [], later = (ms, f) => timers.push(setTimeout(() => { if (still()) f(); }, ms));
    clear(box);
    if (box.children.length && [...box.children].every((node) => node.matches(".mm-error"))) box.replaceChildren();
    const full = box.childNodes.length > 0;
    const put = (words) => {
      const node = h("p", { class: full ? "mm-working over" : "mm-working", role: "status" }, words);
      if (say) return say(node);
      box.querySelector(":scope > .mm-working")?.remove();
      box.prepend(node);
    };
    if (!full && shape) later(GREY_MS, () => { if (!box.querySelector(":scope > .mm-grey")) box.append(grey(shape)); });
    for (const ms of [SAID_MS, LONG_MS]) later(ms, () => put(sentence(doing, ms)));
    const stop = () => { for (const timer of timers) clearTimeout(timer); };
    const over = (answered = false) => {
      stop();
      if (still()) clear(box);
      if (answered && !loading) learn(doing, performance.now() - begun);
    };
    return { put, stop, over };
  }
  async function awaited(box, how, ask, still = () => true) {
    const waiting = waits(box, how, still);
    let answered = false, away = false;
    const once = () => {
      if (away) waiting.put(sentence(how.doing, 0));
      return ask().catch((e) => {
        waiting.stop();
        if (mm.isAway(e) && still()) { away = true; waiting.put(tr`The server does not answer. It is asked again when it is back.`); }
        throw e;
      });
    };
    try {
      const answer = await mm.patiently(() => (still() ? once() : null));
      answered = !away;
      return answer;
    } finally { waiting.over(answered); }
  }
  const fail = (box, e) => { delete box.dataset.model; box.replaceChildren(h("p", { class: "mm-error", role: "alert" }, e.message)); };
  async function into(box, ask, show, how = {}) {
    const turn = (box.turn = (box.turn || 0) + 1), still = () => turn === box.turn;
    box.setAttribute("aria-busy", "true");
    try {
      const answer = await awaited(box, how, ask, still);
      if (still()) { show(answer); if (answer.model) box.dataset.model = answer.model; }
    } catch (e) { if (still()) fail(box, e); }
    if (still()) box.removeAttribute("aria-busy");
  }
  Object.assign(mm, { waits, awaited, into, fail });
})();
