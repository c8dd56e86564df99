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
