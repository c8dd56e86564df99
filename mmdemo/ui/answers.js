/* Answers of tabs that show pictures: how well texts fit, what a search found, and labels on either. */
mm.answers = (() => {
  const { h, thumb, percent, save } = mm;
  const legend = (what, model) => h("div", { class: "mm-legend" }, h("span", {}, what), h("span", {}, model));
  // Labels wherever an answer stands: a tick or a cross, pressed again to take it back
  function marks(item, text, { said, known, then = () => {}, ...how }) {
    let label = known ? Promise.resolve(known) : null, was = (known && said) || "";
    return mm.marks(text, async (verdict, box) => {
      const before = label, taken = was === verdict;
      label = null;
      was = taken ? "" : verdict;
      if (taken) for (const b of box.children) b.setAttribute("aria-pressed", false);
      const undone = before && save("undo", { label: await before });
      if (taken) { await undone; return then(); }
      label = save("label_result", { item, text, verdict, ...how }).then((receipt) => {
        box.title = `Label ${receipt.label} saved on disk`;
        then();
        return receipt.label;
      });
    }, said);
  }
  // How well a text fits; `press` says what a click on it does.
  function score({ text, probability, similarity }, i, marked, press = null) {
    return h("div", { class: "mm-line" },
      h(press ? "button" : "div", { class: "mm-score", "data-score": i, ...(press && { type: "button", "aria-pressed": "false", onclick: press }) },
        h("span", { class: "mm-text" }, text),
        h("span", { class: "mm-bar", title: `similarity ${similarity.toFixed(3)}` }, h("i", { style: `width:${Math.max(1, probability * 100)}%` })),
        h("span", { class: "mm-number" }, percent(probability)),
        h("span", { class: "mm-faint" }, similarity.toFixed(2))),
      marked);
  }
  // A result of a search, to open, to label, and to search by.
  function card(result, rank, query, model, { open, openTitle, similar, similarTitle, then }) {
    const text = result.text || "no text yet";
    return h("figure", { class: `mm-card ${result.fit === "best" || !query ? "" : "weaker"}`, "data-item": result.item },
      h("button", { class: "mm-thumb", type: "button", title: openTitle, onclick: open }, h("img", { src: thumb(result.item), alt: text, loading: "lazy" })),
      h("figcaption", {},
        h("span", { class: "mm-number", title: `similarity ${result.score.toFixed(3)}` }, percent(result.probability)),
        h("span", { class: "mm-text", title: text }, text)),
      h("div", { class: "mm-row mm-actions" },
        marks(result.item, query || text, { origin: "search", query, rank, version: model, said: result.verdict, known: result.label, then: query ? then : undefined }),
        h("button", { class: "mm-mark", type: "button", title: similarTitle, "aria-label": `Similar to ${text}`, onclick: similar }, "≈")));
  }
  // What to say before results that are no good, or none.
  const nothing = (answer) => (answer.no_match && answer.results.length
    ? h("p", { class: "mm-note", role: "status" }, h("strong", {}, "No good match in this collection. "), "These come nearest.")
    : !answer.results.length && h("p", { class: "mm-note" }, "Nothing is left with these filters."));
  // The nodes of results, the best before the weaker, with what stands between and after them.
  function parts(answer, drawn, wrap = (nodes) => nodes) {
    const weak = answer.results.findIndex((r) => r.fit !== "best" && !r.verdict), plain = answer.no_match || weak <= 0;
    if (plain) return [wrap(drawn)].flat();
    return [wrap(drawn.slice(0, weak)), h("p", { class: "mm-faint mm-weaker" }, "These fit less well"), wrap(drawn.slice(weak))].flat();
  }
  return { legend, marks, score, card, note: nothing, parts };
})();
