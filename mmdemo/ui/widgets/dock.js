// On a phone Gradio's row of tabs is hidden: the first ones stand at the bottom, and More opens the rest
const { h, gradioTabs } = mm;
const DOCKED = 4;
const GROUPS = ["Label", "Map"].map(tr.told);  // the tabs that a gap comes before: to try, to teach, the collection
const dock = element.querySelector(".mm-dock");
const titleOf = (tab) => tab.textContent.trim();
const englishOf = (title) => Object.values(mm.tabTitles).find((one) => tr.told(one) === title) || title;
function docked(tab) {
  const icon = mm.icon(englishOf(titleOf(tab)).toLowerCase());
  return h("button", { type: "button", "data-of": titleOf(tab), onclick: () => tab.click() }, icon, titleOf(tab));
}
function openMore(tabs) {
  const go = (tab) => h("button", { class: "mm-button", type: "button", onclick: () => { dialog.close(); tab.click(); } }, titleOf(tab));
  const dialog = h("dialog", { class: "mm-dialog mm-sheet", "aria-label": tr`More` }, tabs.map(go), ...mm.languages.row(() => dialog.close()),
    h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
function markCurrent() {
  const chosen = gradioTabs().find((tab) => tab.getAttribute("aria-selected") === "true"), name = chosen && titleOf(chosen);
  const there = [...dock.children].find((b) => b.dataset.of === name) || dock.lastElementChild;
  for (const b of dock.children) b === there ? b.setAttribute("aria-current", "page") : b.removeAttribute("aria-current");
}
// Gradio has its tabs after this widget is there, and draws them anew when the window's width changes.
function lay() {
  const tabs = gradioTabs();
  if (!tabs.length) return;
  for (const tab of tabs) if (GROUPS.includes(titleOf(tab))) tab.dataset.group = "";
  const names = tabs.map(titleOf).join("\n");
  if (dock.dataset.names !== names) {
    dock.dataset.names = names;
    const more = tabs.length > DOCKED + 1;
    dock.replaceChildren(...tabs.slice(0, more ? DOCKED : DOCKED + 1).map(docked),
      ...(more ? [h("button", { type: "button", "aria-haspopup": "dialog", onclick: () => openMore(gradioTabs().slice(DOCKED)) }, mm.icon("more"), tr`More`)] : []));
  }
  markCurrent();
}
const laying = new MutationObserver(lay);
(function begin() {
  const row = document.querySelector(".tab-container:not(.visually-hidden)");
  if (!row) return requestAnimationFrame(begin);
  laying.observe(row, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
  lay();
})();
