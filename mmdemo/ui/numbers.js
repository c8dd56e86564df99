/* Numbers that can be clicked: every one that claims something is made here, with its source, of which the server tells
   what it was measured on (mmdemo/service/sources/). */
(() => {
  const { h, api, fail } = mm, ASK = tr`What was this measured on?`;
  // What the server tells of a number, or of all probabilities of a version.
  const told = ({ about, facts, diagrams }) => [...diagrams.map(mm.reliability), h("p", { class: diagrams.length ? "mm-hint" : "" }, about), facts.length ? mm.facts(facts) : ""];
  mm.facts = (rows) => h("dl", { class: "mm-facts" }, rows.flatMap(([name, said]) => [h("dt", {}, name), h("dd", {}, said)]));
  mm.told = (what) => [h("h4", {}, tr.told(what.title)), ...told(what)];

  function open(source) {
    const title = h("h4", { id: "mm-told" }, ASK), box = h("div", { "aria-live": "polite" }, h("p", { class: "mm-hint" }, tr`Looking…`));
    const dialog = h("dialog", { class: "mm-dialog mm-trust", "aria-labelledby": "mm-told" }, title, box,
      h("div", { class: "mm-row" }, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`)));
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });  // beside it
    document.body.append(dialog);
    dialog.showModal();
    api("measured_on", source).then((what) => { title.textContent = tr.told(what.title); box.replaceChildren(...told(what)); }).catch((e) => fail(box, e));
  }
  // A number with its source: the fields of `measured_on`.
  mm.number = (text, source, more = {}) => h("button", { class: "mm-ask", type: "button", title: ASK, "aria-label": tr`${text}: what was this measured on?`,
    onclick: (e) => { e.preventDefault(); e.stopPropagation(); open(source); }, ...more }, text);
  // A probability: its percent, of which the server also says where it lies in the diagram.
  mm.share = (value, source, more = {}) => mm.number(mm.percent(value), { ...source, value }, { class: "mm-ask mm-number", ...more });
  // A sentence whose numbers can be clicked.
  const READING = tr.readings ? new RegExp(tr.readings) : /([+-]\d+(?:\.\d+)? to [+-]\d+(?:\.\d+)?(?: points)?|[+-]?\d+(?:\.\d+)?(?: %| points?\b| words of 100| more held-out items))/;
  mm.readings = (sentence, source) => sentence.split(READING).map((part, i) => (i % 2 ? mm.number(part, source) : part));
  // The numbers of a table are one stop of the Tab key; the arrows go from one to the next.
  mm.roving = (table) => {
    const all = [...table.querySelectorAll(".mm-ask")];
    all.forEach((one, i) => { one.tabIndex = i ? -1 : 0; });
    table.addEventListener("focusin", (e) => { if (all.includes(e.target)) for (const one of all) one.tabIndex = one === e.target ? 0 : -1; });
    table.addEventListener("keydown", (e) => {
      const at = all.indexOf(e.target), cell = e.target.closest("td"), column = (one) => [...one.closest("tr").children].indexOf(one.closest("td"));
      if (at < 0) return;
      const below = (list) => list.find((one) => one.closest("tr") !== cell.parentNode && column(one) === column(e.target));
      const to = { ArrowRight: all[at + 1], ArrowLeft: all[at - 1], ArrowDown: below(all.slice(at + 1)), ArrowUp: below(all.slice(0, at).reverse()) }[e.key];
      if (to) { e.preventDefault(); to.focus(); }
    });
    return table;
  };
})();
