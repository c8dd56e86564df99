// Before and while it learns: three steps, what it learns from, why it cannot begin, and how far it is
const step = (n) => $(`[data-step="${n}"]`);
function say(n, state, words, share = null) {
  const box = step(n), meter = box.querySelector("[data-meter]"), sign = box.querySelector(".mm-step-n");
  box.className = state;
  box[state === "now" ? "setAttribute" : "removeAttribute"]("aria-current", "step");
  keep(sign, [state], () => [state === "done" ? mm.icon("good") : String(n)]);
  const line = box.querySelector("[data-of]");
  if (line.textContent !== words) line.textContent = words;
  if (!meter) return;
  meter.hidden = share === null;
  meter.setAttribute("aria-valuenow", Math.round(100 * (share || 0)));
  meter.firstElementChild.style.width = `${100 * (share || 0)}%`;
}
const testOf = (d) => (d.held_out.match ? tr`the ${mm.many(d.held_out.match, "test pair")}` : tr`test pairs`);
const roughly = (s) => tr`about ${seconds(s)}`;
// How far a run is, from 0 to 1, and in words.
const shareOf = (s) => (s.steps ? s.step / s.steps : s.epochs ? s.epoch / s.epochs : 0.02);
function worksOn(s) {
  if (s.status === "queued" && !s.epochs) return tr`Waits for its turn`;
  if (s.step && s.step === s.steps) return tr`Measuring what it learned`;
  return s.steps || s.epochs ? tr`Learning from your answers, ${roughly(s.eta_s || 0)} left` : tr`Reading the answers…`;
}
function drawSteps(d, s, on) {
  const { have, need } = d.goal, enough = have >= need, tests = d.held_out.match, few = Math.min(1, have / need);
  const first = enough ? tr`${have} answers to learn from; ${tests} other pairs are the test` : tr`${have} of ${need} answers to learn from${have ? "" : tr`. About 5 minutes.`}`;
  say(1, enough ? "done" : "now", first, enough ? null : few);
  $("[data-label-more]").hidden = !have;
  const here = known.seconds === null ? tr`Takes seconds to minutes on this computer.` : tr`Takes ${roughly(known.seconds)} on this computer.`;
  if (on) say(2, "now", worksOn(s), shareOf(s));
  else say(2, enough ? "now" : "", d.methods.length ? here : tr`A network has to be chosen first.`);
  say(3, "", tr`Old and new model on ${testOf(d)}, side by side. You decide.`);
}
// Where answers lie: those of the samples are nobody's here, and are told apart.
function drawFacts(d, first) {
  const unused = mm.kinds.filter((kind) => kind.training === "none" && d.counts[kind.name]).map((kind) => `${d.counts[kind.name]} ${kind.name}`);
  const left = [...unused, d.aside && tr`${d.aside} between learning and test`].filter(Boolean), answers = (n) => mm.many(n, "answer");
  const side = d.validation.match + d.validation.mismatch, tests = d.held_out.match + d.held_out.mismatch, own = tests - d.samples;
  const testWords = tr`${mm.many(tests, "pair")} it never learns from${d.samples ? tr`: ${own > 0 ? tr`${own} of yours, ${d.samples}` : tr`all`} came with the samples` : ""}`;
  keep($("[data-data]"), d, () => [mm.facts([[tr`Fits`, answers(d.train.match)], [tr`Doesn’t fit`, answers(d.train.mismatch)], ...(left.length ? [[tr`Left out`, left.join(tr`, `)]] : []),
    ...(side ? [[tr`Side check`, tr`${mm.many(side, "pair")}, to stop in time`]] : []), [tr`Test`, testWords], [tr`Starts from`, d.active]]),
    ...(first ? [] : [...d.missing, ...d.warnings].map((m) => h("p", { class: "mm-tell" }, m)))]);
}
function drawFirst(d) {
  const first = !d.train.match && !d.train.mismatch && d.methods.length > 0;
  $("[data-first]").hidden = !first;
  $("[data-two]").hidden = first;
  const of = tr`Say for ${d.goal.need} pairs whether the text fits the ${noun()}. The model learns from your answers; ${d.held_out.match ? tr`${d.held_out.match} other pairs${d.samples ? tr`, which came with the samples,` : ""} test` : tr`other pairs test`} whether it really got better.`;
  if (first && $("[data-first-of]").textContent !== of) $("[data-first-of]").textContent = of;
  return first;
}
// What the next attempt could show.
function drawOutlook(d) {
  const { items, attempt, visible } = d.gate, box = $("[data-outlook]");
  keep(box, [d.gate, chosenTask()], () => (d.missing.length ? [] : items < 30 ? [tr`${items} of at least 30 test ${mm.task.modality.plural} are answered: until then nothing can be certain.`]
    : [tr`The next try is attempt ${attempt} on these ${items} test ${mm.task.modality.plural}.`, visible?.points ? tr` A gain of ${mm.number(tr`${visible.points.toFixed(1)} points`, { kind: "visible", task: chosenTask() })} or more would probably show.` : ""].flat()));
}
// The run that goes on, one that failed or was stopped, or where the last one is.
function drawLive(s, on) {
  const box = $("[data-run]");
  const more = [s.queued ? button(tr`${s.queued} more waiting`, () => show("runs")) : "", shown ? button(tr`the latest run`, () => { shown = ""; remember(); }) : ""];
  if (on) {
    const told = [s.epochs ? tr`round ${s.epoch} of ${s.epochs}` : "", s.seconds ? tr`${Math.round(s.seconds)} s` : ""].filter(Boolean).join(tr`, `);
    return box.replaceChildren(h("div", { class: "mm-live-line" }, h("h2", {}, tr`Live`), h("span", { class: "mm-dot busy", "data-state": s.status }, told || (s.status === "queued" ? tr`waits` : tr`starting…`)), ...more), s.message ? h("p", { class: "mm-tell plain" }, s.message) : "");
  }
  keep(box, [s.run, s.status, s.message, shown, s.queued, finished(s)], () => {
    if (["failed", "stopped"].includes(s.status) && !finished(s)) return [h("h2", {}, s.status === "failed" ? tr`It could not finish` : tr`Stopped`),
      h("div", { class: "mm-tell", "data-state": s.status }, h("p", {}, s.message || tr`It was stopped before a round was done.`), h("p", { class: "mm-fine" }, tr`Your answers are untouched, and the model in use is as it was.`), h("div", { class: "mm-row" },
        press(tr`Go on from where it was`, () => api("resume_training", { run: s.run }), { "data-resume": true }), press(tr`Start anew`, start), press(tr`Look at the answers`, () => mm.openTab("Data"), { class: "mm-button mm-plainly" }))), ...more];
    if (finished(s)) return [h("h2", {}, tr`The last run`), h("p", {}, titleOf(s)), h("div", { class: "mm-row" }, press(tr`See its result`, () => { freshly = false; })), ...more];
    return [h("h2", {}, tr`How it is judged`), ...more];
  });
}
