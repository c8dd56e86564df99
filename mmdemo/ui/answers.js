/* Answers of tabs that show pictures: how well texts fit, what a search found, and labels on either. */
mm.answers = (() => {
  const { h, thumb, save } = mm, { takeBack } = mm.outbox;
  const legend = (what, model) => h("div", { class: "mm-legend" }, h("span", {}, what), h("span", {}, model));
  // Labels wherever an answer stands: a tick or a cross, pressed again to take it back
  function taken(text, { said, known, then = () => {}, saved = mm.saved }, send, done = () => {}, failed = (e) => mm.toast(e.message, true)) {
    let label = known ? { label: known } : null, was = (known && said) || "";
    const receipt = (label) => tr`Label ${label} saved on disk`;
    const pressed = (box) => [...box.children].find((b) => b.getAttribute("aria-pressed") === "true");
    const marked = mm.marks(text, (verdict, box) => {
      const before = label, earlier = was, back = was === verdict;
      const sent = back ? takeBack(before) : send(verdict);
      sent.receipt.catch(failed);
      if (!sent.kept) return sent;
      label = back ? null : sent;
      was = back ? "" : verdict;
      box.title = "";
      if (back) {
        pressed(box)?.setAttribute("aria-pressed", false);
        sent.receipt.then((got) => { if (got.undone) saved(tr`Label ${got.undone} taken back by label ${got.label}`); then(); }, () => {});
        return sent;
      }
      if (before) takeBack(before).receipt.catch(failed);
      sent.receipt.then((got) => {
        if (label === sent) box.title = receipt(got.label);
        // Undone is this answer alone: the one whose place it took is given again.
        saved(receipt(got.label), () => {
          if (label !== sent) return;
          pressed(box)?.click();
          if (earlier) box.children[mm.kinds.filter((kind) => kind.sign).findIndex((kind) => kind.name === earlier)]?.click();
        });
        done(receipt(got.label));
        then();
      }, () => {  // it is not stored: it is not shown as made
        if (label !== sent) return;
        label = null;
        was = "";
        pressed(box)?.setAttribute("aria-pressed", false);
      });
      return sent;
    }, said);
    if (known) marked.title = receipt(known);
    return marked;
  }
  function marks(item, text, { said, known, then, saved, ...how }) {
    return taken(text, { said, known, then, saved }, (verdict) => save("label_result", { item, text, verdict, ...how }));
  }
  // What scores are, above them: a version of which no probability was measured shows the similarity alone.
  const measures = (answer) => legend(answer.scores.some((s) => s.measured) ? tr`probability that it fits · similarity` : tr`similarity · how likely it fits was not measured`, answer.model);
  // How well a text fits; `press` says what a click on it does, a recording has two probabilities.
  function score({ text, probability: guess, measured = true, similarity, zone, doubt = "", note = "", about = null, about_zone = "" }, i, marked, model, press = null) {
    const probability = measured ? guess : null;
    const near = mm.number(similarity.toFixed(2).replace("-0.00", "0.00"), { kind: "similarity", version: model }, probability === null ? { class: "mm-ask mm-number" } : {}), told = doubt || note;
    const faint = probability === null ? [] : about === null ? [zone ? `${tr.told(zone)} · ` : "", near]
      : [tr.told(zone), tr` · about it `, mm.share(about, { kind: "about", version: model }, { title: tr`As what is spoken about it ${tr.told(about_zone)}. What was this measured on?` })];
    return h("div", { class: "mm-line" },
      h("div", { class: "mm-score", "data-score": i },
        h(press ? "button" : "div", { class: "mm-pick", ...(press && { type: "button", "aria-pressed": "false", onclick: press }) },
          h("span", { class: "mm-text" }, text, told && h("span", { class: "mm-doubt" }, told)),
          h("span", { class: "mm-bar", title: tr`similarity ${similarity.toFixed(3)}` }, h("i", { style: `width:${doubt ? 0 : Math.max(1, (probability ?? similarity) * 100)}%` }))),
        doubt ? h("span", { class: "mm-number" }, "–") : probability === null ? near : mm.share(probability, { kind: about === null ? "fits" : "said", version: model }),
        h("span", { class: "mm-faint" }, ...faint)),
      marked);
  }
  // How sure a caption claims to be, and how often people agreed with such.
  const claim = ({ source, sure, score }, from) => (source === "confirmed" ? [] : [`${tr.told(sure)} · `, mm.share(score, { ...from, kind: "caption", of: source }, { class: "mm-ask" }), " · "]);
  const agreed = ({ like_this, score }, task) => (like_this ? h("span", { class: "mm-faint" }, mm.number(like_this, { kind: "agreed", task, value: score })) : "");
  // How likely a result of a search is an answer; of likes nobody can say, and they say how near they lie.
  const likely = ({ probability, score, found_by, verdict }, version) => (probability === null
    ? mm.number(tr`similarity ${score.toFixed(2).replace("-0.00", "0.00")}`, { kind: "result", of: "near", version })
    : mm.share(probability, { kind: "result", of: verdict ? "judged" : found_by, version }));
  // A result of a search, to open, to label, and to search by.
  function card(result, rank, query, model, { open, openTitle, similar, similarTitle, then }) {
    const text = result.text || tr`no text yet`;
    return h("figure", { class: `mm-card ${result.fit === "best" || !query ? "" : "weaker"}`, "data-item": result.item },
      h("button", { class: "mm-thumb", type: "button", title: openTitle, onclick: open }, h("img", { src: thumb(result.item), alt: text, loading: "lazy" })),
      h("figcaption", {},
        likely(result, model),
        result.found_by ? h("span", { class: "mm-faint" }, tr` found by its text`) : null,
        h("span", { class: "mm-text", title: text }, text)),
      h("div", { class: "mm-row mm-actions" },
        !(query || result.text) ? h("span", { class: "mm-marks" }) : marks(result.item, query || text, { origin: "search", query, rank, version: model, said: result.verdict, known: result.label, then: query ? then : undefined }),
        h("button", { class: "mm-mark", type: "button", title: similarTitle, "aria-label": tr`More like ${text}`, onclick: similar }, mm.icon("same"))));
  }
  // What does not work with a query.
  const told = (answer) => (answer.note ? h("p", { class: "mm-note", role: "status", "data-search-note": true }, answer.note) : "");
  // That what people said of answers has moved them.
  const some = (n, one, more) => n && mm.many(n, one, more);
  const reordered = ({ ticked = 0, crossed = 0 }) => (ticked || crossed ? tr` · reordered by ${[some(ticked, "tick", "ticks"), some(crossed, "cross", "crosses")].filter(Boolean).join(tr` and `)}` : "");
  // What to say before results that are no good, or none.
  const nothing = (answer) => (answer.no_match && answer.results.length
    ? h("p", { class: "mm-note", role: "status" }, h("strong", {}, tr`No likely match found. `), tr`These come nearest.`)
    : !answer.results.length && h("p", { class: "mm-note" }, tr`Nothing is left with these filters.`));
  // The nodes of results: the best, the weaker, and what does not fit, each with what is said of them.
  const SAID = { weaker: tr`These fit less well`, none: tr`These are unlikely to fit` };
  function parts(answer, drawn, { wrap = (nodes) => nodes, all = null } = {}) {
    const found = [], fits = answer.results.map((r) => (answer.no_match ? "nearest" : r.verdict ? "best" : r.fit));
    for (let from = 0, to; from < drawn.length; from = to) {
      for (to = from + 1; to < drawn.length && (fits[to] === fits[from] || fits[to] === "best");) to += 1;
      if (from && SAID[fits[from]]) found.push(h("p", { class: "mm-faint mm-weaker" }, SAID[fits[from]]));
      found.push(wrap(drawn.slice(from, to)));
    }
    if (all) found.push(h("button", { class: "mm-button mm-all", type: "button", onclick: all }, tr`Show more, whatever fits`));
    return found.flat();
  }
  // What a search asks for besides its words and the item that it looks by; a link says it, and reopens exactly that.
  const CHOSEN = { find: "[data-target]", only: "[data-state]", from: "[data-source]" };
  function wishes(element, { by, find = "", all }) {
    const said = { by: by ? "item" : "", find, all: all ? "1" : "" };
    for (const [name, where] of Object.entries(CHOSEN)) {
      const select = element.querySelector(where);
      if (select) said[name] = select.selectedIndex > 0 ? select.value : "";
    }
    return said;
  }
  function choose(element, link) {
    for (const [name, where] of Object.entries(CHOSEN)) {
      const select = element.querySelector(where);
      if (select && [...select.options].some((o) => o.value === link[name])) select.value = link[name];
    }
  }
  const request = ({ find, only, from, all }) => ({ target: find || "media", state: only, source: from, everything: Boolean(all) });
  return { legend, measures, marks, score, claim, agreed, likely, card, told, reordered, note: nothing, taken, parts, wishes, choose, request };
})();
