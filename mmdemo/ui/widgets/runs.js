// The runs of a task, newest first: open, stop, go on, remove
let shown = "";  // the run that the Train view shows; empty: the latest
const METHODS = { head: "head", lora: "LoRA", full: "full" };
const scoreOf = (r) => (r.bleu !== null && r.bleu !== undefined ? h("td", {}, "BLEU-4 ", figure(r.bleu, source(r, "captions", "BLEU-4"))) : r.recall === null || r.recall === undefined ? "" : figure(r.recall, source(r, "retrieval", "mean recall")));
views.runs = async () => {
  const { runs } = await ask("runs").catch((e) => { error(e.message); return { runs: [] }; });
  const box = $("[data-panel=runs]"), works = runs.some((r) => ["queued", "running"].includes(r.status)), stamp = JSON.stringify([runs, chosenTask()]);
  if (box.dataset.stamp === stamp) return works;  // what is drawn stays, and with it the focus
  box.dataset.stamp = stamp;
  if (!runs.length) return box.replaceChildren(h("p", { class: "mm-empty" }, "No run yet. Start one under Train; several wait for each other."));
  const waiting = runs.filter((r) => r.status === "queued").length;
  box.replaceChildren(waiting ? h("p", { class: "mm-hint" }, `${waiting} waiting; one runs at a time.`) : "",
    grid(["run", "status", "method", "from", "made", "mean recall", ""], runs.map((r) => row([
      h("td", {}, button(r.run, () => { shown = r.run; show("train"); }, { title: "Its curves and result" }), h("div", { class: "mm-faint" }, new Date(r.created).toLocaleString())),
      h("td", {}, h("span", { class: `mm-pill ${r.status}` }, r.status), r.message ? h("div", { class: "mm-faint" }, r.message) : ""),
      `${METHODS[r.method] || r.method}${r.method === "head" && r.head && r.head !== "residual" ? `, ${r.head}` : ""}${r.task === "captioning" ? " of the captioner" : ""}`, r.parent,
      h("td", {}, r.model || "", r.decision === "promoted" ? h("div", { class: "mm-faint" }, "promoted") : ""), scoreOf(r),
      h("td", { class: "mm-does" }, ["queued", "running"].includes(r.status)
        ? button(r.status === "queued" ? "take out" : "stop", () => api("stop_training", { run: r.run }))
        : [["stopped", "failed"].includes(r.status) && button("go on", async () => { await api("resume_training", { run: r.run }); toast("It goes on from its last check-point."); }),
          button("remove", async () => { if (await mm.confirm(`Remove ${r.run}? Its curves and check-points go. ${r.model ? `The version ${r.model} and its` : "Its"} labels stay.`, "Remove")) { await api("remove_run", { run: r.run }); if (shown === r.run) shown = ""; } })].filter(Boolean))]))));
  return works;
};
