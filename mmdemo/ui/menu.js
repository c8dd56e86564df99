/* A menu below the button that opens it. Arrow keys go through it; Escape and a click beside it close it.
   fill(box, item): lays out what is in it, whenever it opens; item(act, ...words) makes a row of it. */
mm.menu = (button, name, fill) => {
  const { h } = mm;
  const box = h("div", { class: "mm-pop mm-menu", popover: "auto", role: "menu", "aria-label": name });
  document.body.append(box);
  const item = (act, ...words) => h("button", { type: "button", role: "menuitem", onclick: () => { box.hidePopover(); button.focus(); act(); } }, ...words);
  const items = () => [...box.querySelectorAll("button")];
  box.addEventListener("toggle", (e) => button.setAttribute("aria-expanded", String(e.newState === "open")));
  box.addEventListener("keydown", (e) => {
    const list = items(), at = list.indexOf(document.activeElement), to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    list[(to + list.length) % list.length].focus();
  });
  async function open() {
    const place = button.getBoundingClientRect();
    Object.assign(box.style, { top: `${Math.round(place.bottom + 6)}px`, right: `${Math.max(8, Math.round(innerWidth - place.right))}px` });
    const filled = fill(box, item);
    box.showPopover();
    await filled;
    (box.querySelector("[aria-checked=true]") || items()[0])?.focus();
  }
  Object.entries({ "aria-haspopup": "menu", "aria-expanded": "false" }).forEach((pair) => button.setAttribute(...pair));
  button.addEventListener("click", open);
  return box;
};
/* The languages of the page: a menu in the header, and on a phone in the sheet of More. */
mm.languages = (() => {
  const { h } = mm, all = Object.entries(tr.languages), several = all.length > 1;
  const current = (code) => code === tr.code;
  // Another language is another page: what was typed stands in it again.
  const pick = (code) => { if (!current(code)) tr.choose(code); };
  function menu(button) {
    button.hidden = !several;
    button.append(mm.icon("language"), tr.languages[tr.code].short, h("span", { class: "mm-spoken" }, tr`, language`));
    mm.menu(button, tr`Language`, (into) => into.replaceChildren(...all.map(([code, { name }]) =>
      h("button", { type: "button", role: "menuitemradio", "aria-checked": String(current(code)), "data-code": code, lang: code, onclick: () => { into.hidePopover(); button.focus(); pick(code); } },
        h("span", { class: "mm-tick" }, current(code) ? mm.icon("good") : ""), h("span", {}, h("b", {}, name))))));
  }
  const row = (close) => (several ? [h("div", { class: "mm-row mm-languages", role: "group", "aria-label": tr`Language` }, mm.icon("language"), all.map(([code, { name }]) =>
    h("button", { class: "mm-button", type: "button", lang: code, "data-code": code, "aria-pressed": String(current(code)), onclick: () => { close(); pick(code); } }, name)))] : []);
  return { menu, row };
})();
