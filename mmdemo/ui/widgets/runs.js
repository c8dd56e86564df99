// The runs of a task, newest first: what came of each; open, stop, go on, remove
let shown = "";  // the run that the Tune view shows; empty: the latest
const METHODS = { head: "the last step only", lora: "small additions", full: "all of it" };
const TERMS = { head: "head", lora: "LoRA", full: "full" };
const learned = (one) => h("td", { title: [TERMS[one.method], one.head].filter(Boolean).join(", ") }, `${METHODS[one.method] || one.method}${one.task === "captioning" ? " of what writes" : ""}`);
const scoreOf = (r) => {
  if (r.bleu !== null && r.bleu !== undefined) return figure(r.bleu, source(r, "captions", "BLEU-4"));
  if (r.gain !== null && r.gain !== undefined) return mm.number(`${signed(r.gain)} points`, source(r, "retrieval", "mean recall"));
  return r.recall === null || r.recall === undefined ? "" : figure(r.recall, source(r, "retrieval", "mean recall"));
};
function cameOf(r) {
  if (r.status !== "done") return r.status;
  return r.active ? "in use" : { promoted: "was in use", "kept-old": "not used" }[r.decision] || "waiting";
}
function doesOfRun(r) {
  if (r.status === "queued") return [button("take out", () => api("stop_training", { run: r.run }))];
  if (r.status === "running") return [button("stop", () => api("stop_training", { run: r.run }))];
  const goOn = async () => { await api("resume_training", { run: r.run }); toast("It goes on from where it was."); };
  const remove = async () => {
    const stays = r.model ? `The version ${r.model} and its` : "Its";
    if (!(await mm.confirm(`Remove ${r.run}? Its curves go, and it cannot be gone on with. ${stays} answers stay.`, "Remove"))) return;
    await api("remove_run", { run: r.run });
    if (shown === r.run) shown = "";
  };
  return [["stopped", "failed"].includes(r.status) ? button("go on", goOn) : "", button("remove", remove)].filter(Boolean);
}
const runRow = (r) => row([
  h("td", {}, button(new Date(r.created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }), () => { shown = r.run; freshly = false; show("train"); }, { title: "Its result" }), h("div", { class: "mm-fine" }, r.run)),
  h("td", {}, h("span", { class: `mm-pill ${r.status} ${r.active ? "acc" : ""}` }, cameOf(r)), r.message ? h("div", { class: "mm-fine" }, r.message) : ""),
  scoreOf(r), learned(r),
  h("td", {}, r.parent, r.model ? h("div", { class: "mm-fine" }, `made ${r.model}`) : ""),
  h("td", { class: "mm-does" }, doesOfRun(r))]);
views.runs = async () => {
  const { runs } = await ask("runs").catch((e) => { error(e.message); return { runs: [] }; });
  const box = $("[data-panel=runs]"), works = runs.some((r) => ["queued", "running"].includes(r.status)), waiting = runs.filter((r) => r.status === "queued").length;
  keep(box, [runs, chosenTask()], () => (runs.length
    ? [waiting ? h("p", { class: "mm-small" }, `${waiting} waiting; one runs at a time.`) : "", grid(["run", "what came of it", "gain", "what learned", "from", ""], runs.map(runRow))]
    : [h("p", { class: "mm-empty" }, "No run yet. ", button("Start one", () => show("train")))]));
  return works;
};
