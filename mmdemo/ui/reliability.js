/* Whether a percent is what it says: a number that can be clicked, and the reliability diagram behind it. */
mm.reliability = (() => {
  const { h, svg, api, percent, fail } = mm;
  const whole = (share) => Math.round(share * 100);
  // The answers that said about the same, which are counted in tenths.
  const tenth = (said) => Math.min(9, Math.floor(said * 10));
  const like = (bins, said) => bins.find((b) => tenth(b.said) === tenth(said));
  const FEW = 5;  // answers, below which a share says little

  // What was said against what was right, one dot for each tenth, as large as it holds answers; the dashes are what is said.
  function diagram({ reliability, zones }, said = null) {
    const W = 340, H = 178, L = 44, R = 12, T = 10, B = 30;
    const X = (x) => L + x * (W - L - R), Y = (y) => H - B - y * (H - T - B);
    const { bins } = reliability, most = Math.max(...bins.map((b) => b.count)), mine = said === null ? null : like(bins, said);
    const told = bins.map((b) => `${whole(b.said)} % was right ${whole(b.right)} of 100`).join(", ");
    return svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Of what said: ${told}` },
      svg("rect", { class: "zone", x: X(zones.fits), y: T, width: X(1) - X(zones.fits), height: H - T - B }),
      svg("rect", { class: "zone", x: X(0), y: T, width: X(zones.does_not) - X(0), height: H - T - B }),
      ...[0, 0.5, 1].flatMap((y) => [svg("line", { class: "grid", x1: L, x2: W - R, y1: Y(y), y2: Y(y) }), svg("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, `${whole(y)} %`)]),
      svg("line", { class: "ideal", x1: X(0), y1: Y(0), x2: X(1), y2: Y(1) }),
      svg("polyline", { class: "line", points: bins.map((b) => `${X(b.said)},${Y(b.right)}`).join(" ") }),
      ...bins.map((b) => svg("circle", { class: b === mine ? "dot mine" : "dot", cx: X(b.said), cy: Y(b.right), r: 2.5 + 3 * Math.sqrt(b.count / most) })),
      svg("text", { x: X(0), y: H - 10 }, "it says 0 %"), svg("text", { x: X(1), y: H - 10, "text-anchor": "end" }, "100 %"));
  }
  const NAMED = { "": "that a text fits", said: "that it was said", about: "that it is what is spoken about" };  // by what it is a probability of
  function figure(found, said = null) {
    const { reliability: r, zones, kind } = found;
    // without a number of one's own, the highest that enough answers said
    const bin = said === null ? [...r.bins].reverse().find((b) => b.count >= FEW) : like(r.bins, said);
    const sentence = !bin || bin.count < FEW ? "Too few answers said as much to tell."
      : `Of 100 answers that said ${10 * tenth(bin.said)} to ${10 * tenth(bin.said) + 10} %, ${whole(bin.right)} were right.`;
    return h("figure", { class: "mm-chart mm-reliability" }, h("figcaption", {}, h("b", {}, sentence), kind ? ` (${NAMED[kind] || kind})` : ""), diagram(found, said),
      h("dl", { class: "mm-facts" },
        h("dt", {}, "measured on"), h("dd", {}, r.on),
        h("dt", {}, "error"), h("dd", { title: "expected calibration error: how far what is said lies from what is right, on average" }, `${(100 * r.ece).toFixed(1)} points`),
        h("dt", {}, "it says fits"), h("dd", {}, `from ${percent(zones.fits)} on; doesn't fit up to ${percent(zones.does_not)}`)));
  }
  const rate = (card) => `Every percent means: among texts of which one in ${Math.round(1 / card.base_rate)} is right.`;
  const UNKNOWN = "How far its percent can be trusted was not measured. Label pairs and fine-tune it: ten matches for validation are enough to measure.";
  // What a version's card shows of its probabilities.
  const panel = (card) => [h("h4", {}, "Can you trust its percent?"),
    ...(card.probabilities.length ? [...card.probabilities.map((found) => figure(found)), h("p", { class: "mm-hint" }, rate(card))] : [h("p", { class: "mm-hint" }, UNKNOWN)])];

  function tell(probability, version, kind) {
    const box = h("div", { "aria-live": "polite" }, h("p", { class: "mm-hint" }, "Looking…"));
    const dialog = h("dialog", { class: "mm-dialog mm-trust", "aria-label": "Can you trust its percent?" },
      h("h4", {}, "Can you trust its percent?"), box,
      h("div", { class: "mm-row" }, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, "Close")));
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });  // beside it
    document.body.append(dialog);
    dialog.showModal();
    api("version_card", { version }).then((card) => {
      const found = card.probabilities.find((one) => one.kind === kind);
      box.replaceChildren(...(found ? [figure(found, probability)] : [h("p", {}, UNKNOWN)]), h("p", { class: "mm-hint" }, `${rate(card)} The model is ${version}.`));
    }).catch((e) => fail(box, e));
  }
  // A probability, which tells what it was measured on; `kind` says which of a task's it is.
  const number = (probability, version, kind = "", more = {}) => h("button", { class: "mm-number mm-ask", type: "button", title: "What was this measured on?", "aria-label": `${percent(probability)}: what was this measured on?`,
    onclick: (e) => { e.stopPropagation(); tell(probability, version, kind); }, ...more }, percent(probability));
  return { number, figure, panel };
})();
