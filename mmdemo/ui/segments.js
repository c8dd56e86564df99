/* Rows of buttons of which one is chosen: one stop for the Tab key, and arrow keys from one to the next. */
(() => {
  const ROW = "[role=tablist].mm-segments", TAB = `${ROW} [role=tab]`;
  const stop = (tab) => { tab.tabIndex = tab.getAttribute("aria-selected") === "true" ? 0 : -1; };
  const seen = (nodes) => { for (const node of nodes) if (node instanceof Element) [...(node.matches(TAB) ? [node] : []), ...node.querySelectorAll(TAB)].forEach(stop); };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "childList") seen(addedNodes);
      else if (target.matches(TAB)) stop(target);
    }
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"] });
  addEventListener("keydown", (e) => {
    const tab = e.target instanceof Element && e.target.closest(TAB);
    if (!tab || e.defaultPrevented || e.ctrlKey || e.altKey || e.metaKey) return;
    const all = [...tab.closest(ROW).querySelectorAll("[role=tab]")].filter((one) => one.offsetParent), at = all.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = all[(to + all.length) % all.length];
    next.click();
    next.focus();
  });
})();
