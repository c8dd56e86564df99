/* Which version the views ask: one choice for each task, made in the header and obeyed by every view and search. */
mm.version = (() => {
  const { h, api } = mm;
  const chosen = {};  // by task; none: the one that is active, whichever that is
  const seen = new Set();
  const of = (task) => chosen[task] || "";
  function choose(task, id) {
    if (of(task) === id) return;
    seen.add(id);
    chosen[task] = id;
    dispatchEvent(new CustomEvent("mm-version", { detail: { task, id } }));
  }
  // A view's state follows what is chosen for its task; `changed` hears of it afterwards.
  function follow(task, state, changed) {
    state.version = of(task);
    addEventListener("mm-version", ({ detail }) => {
      if (detail.task !== task) return;
      state.version = detail.id;
      changed();
    });
  }
  // Of a link: a version that is not here any more is told, and the active one answers. `versions`: those that were here
  // when the tab was opened; others were chosen since.
  function ofLink(task, id, versions) {
    if (!id) return;
    if (versions.some((v) => v.id === id) || seen.has(id)) choose(task, id);
    else mm.address.gone(tr`The version ${id} of this link is not here: it was deleted, or is of another collection`, tr`${versions.find((v) => v.active)?.id || tr`the active one`} answers instead`);
  }

  const gain = (v) => (v.after === null || v.after === undefined || v.before === null || v.before === undefined ? "" : `, ${v.score} ${v.before.toFixed(1)} → ${v.after.toFixed(1)}`);
  const about = (v) => [v.method ? tr`learned from ${v.learned_from} labels${gain(v)}` : tr`as it came`, v.active ? tr`answers for everybody` : v.candidate ? tr`not certain to be better` : ""].filter(Boolean).join(" · ");
  function row(v, task, shown, done) {
    const on = v.id === shown;
    const pick = () => { choose(task, v.active ? "" : v.id); done(); };
    return h("button", { type: "button", role: "menuitemradio", "aria-checked": String(on), "data-version": v.id, onclick: pick },
      h("span", { class: "mm-tick" }, on ? mm.icon("good") : ""),
      h("span", {}, h("b", {}, v.id), h("span", { class: "mm-fine" }, about(v))));
  }
  // All versions and models stand in the Fine-tune tab, each in a part of it.
  function openPart(name) {
    mm.openTab("Fine-tune");
    const opened = () => new URLSearchParams(location.search).get("view") === "fine-tune";  // written when Gradio has opened it
    (function press() {  // Gradio lays a tab out when it is opened first
      const part = document.querySelector(`#mm-finetune [data-part=${name}]`);
      if (part?.onclick && opened()) part.click(); else requestAnimationFrame(press);
    })();
  }
  // The menu of versions, below the button that opens it.
  function menu(button) {
    mm.menu(button, tr`Version`, async (into, item) => {
      const task = mm.task.name, done = () => { into.hidePopover(); button.focus(); };
      const all = () => item(() => openPart("versions"), h("span", { class: "mm-tick" }), h("span", {}, tr`All versions and models`));
      into.replaceChildren(h("p", { class: "mm-fine", role: "presentation" }, tr`Reading the versions…`));
      try {
        const { versions } = await api("version_tree", { task });
        const shown = of(task) || versions.find((v) => v.active)?.id;
        into.replaceChildren(h("p", { class: "mm-fine", role: "presentation" }, tr`Which version answers you about ${mm.modalityOf(task).plural}`), ...versions.map((v) => row(v, task, shown, done)), h("hr"), all());
      } catch (e) { into.replaceChildren(h("p", { class: "mm-error", role: "alert" }, e.message), all()); }
    });
  }
  return { of, choose, follow, ofLink, menu, openPart };
})();
