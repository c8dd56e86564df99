// The runs of a task, newest first: what came of each; open, stop, go on, remove
let shown = "";  // the run that the Tune view shows; empty: the latest
const METHODS = { head: tr`the last step only`, lora: tr`small additions`, full: tr`all of it` };
const TERMS = { head: "head", lora: "LoRA", full: "full" };
const learned = (one) => h("td", { title: [TERMS[one.method], one.head].filter(Boolean).join(tr`, `) }, `${METHODS[one.method] || one.method}${one.task === "captioning" ? tr` of what writes` : ""}`);
const scoreOf = (r) => {
  if (r.bleu !== null && r.bleu !== undefined) return figure(r.bleu, source(r, "captions", "BLEU-4"));
  if (r.gain !== null && r.gain !== undefined) return mm.number(tr`${signed(r.gain)} points`, source(r, "retrieval", "mean recall"));
  return r.recall === null || r.recall === undefined ? "" : figure(r.recall, source(r, "retrieval", "mean recall"));
};
function cameOf(r) {
  if (r.status !== "done") return tr.told(r.status);
  return r.active ? tr`in use` : { promoted: tr`was in use`, "kept-old": tr`not used` }[r.decision] || tr`waiting`;
}
function doesOfRun(r) {
  if (r.status === "queued") return [button(tr`take out`, () => api("stop_training", { run: r.run }))];
  if (r.status === "running") return [button(tr`stop`, () => api("stop_training", { run: r.run }))];
  const goOn = async () => { await api("resume_training", { run: r.run }); toast(tr`It goes on from where it was.`); };
  const remove = async () => {
    const stays = r.model ? tr`The version ${r.model} and its` : tr`Its`;
    if (!(await mm.confirm(tr`Remove ${r.run}? Its curves go, and it cannot be gone on with. ${stays} answers stay.`, tr`Remove`))) return;
    await api("remove_run", { run: r.run });
    if (shown === r.run) shown = "";
  };
  return [["stopped", "failed"].includes(r.status) ? button(tr`go on`, goOn) : "", button(tr`remove`, remove)].filter(Boolean);
}
const runRow = (r) => row([
  h("td", {}, button(new Date(r.created).toLocaleString(tr.locale, { dateStyle: "medium", timeStyle: "short" }), () => { shown = r.run; freshly = false; show("train"); }, { title: tr`Its result` }), h("div", { class: "mm-fine" }, r.run)),
  h("td", {}, h("span", { class: `mm-pill ${r.status} ${r.active ? "acc" : ""}` }, cameOf(r)), r.message ? h("div", { class: "mm-fine" }, r.message) : ""),
  scoreOf(r), learned(r),
  h("td", {}, r.parent, r.model ? h("div", { class: "mm-fine" }, tr`made ${r.model}`) : ""),
  h("td", { class: "mm-does" }, doesOfRun(r))]);
views.runs = async () => {
  const box = $("[data-panel=runs]"), { runs } = await mm.awaited(box, { doing: tr`Reading the runs`, shape: box.dataset.stamp ? "" : "table" }, () => ask("runs"));
  const works = runs.some((r) => ["queued", "running"].includes(r.status)), waiting = runs.filter((r) => r.status === "queued").length;
  keep(box, [runs, chosenTask()], () => (runs.length
    ? [waiting ? h("p", { class: "mm-small" }, tr`${waiting} waiting; one runs at a time.`) : "", grid([tr`run`, tr`what came of it`, tr`gain`, tr`what learned`, tr`from`, ""], runs.map(runRow))]
    : [h("p", { class: "mm-empty" }, tr`No run yet. `, button(tr`Start one`, () => show("train")))]));
  return works;
};
