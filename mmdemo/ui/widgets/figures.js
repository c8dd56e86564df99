// What a run measured: its curves, and tables of before and after in plain words first, then as researchers have them
const OLD_NEW = [tr`old`, tr`new`, tr`gain`, tr`likely between`];
function curves(s, last = 0) {
  const of = (key) => s.progress.filter((p) => p[key] !== null && p[key] !== undefined).map((p) => [p.epoch, p[key]]);
  return [chart(tr`Mistakes while learning`, [{ points: of("loss") }], tr`rounds`, "", source(s, "loss"), last),
    chart(tr`Right answers found, side check`, [{ points: of("validation_recall") }], tr`rounds`, " %", source(s, "validation"), last),
    chart(tr`How expected people’s words are, side check`, [{ points: of("validation_likelihood") }], tr`rounds`, " %", source(s, "validation", "likelihood"), last)].filter(Boolean);
}
const compared = (name, before, after, g, from, more) => row([name, figure(before, from), figure(after, from), ...gainCells(g, from, ...(more || []))]);
const ranked = (s) => Boolean(s.before?.pairs && !s.before.note && s.gains);
function plainRows(s) {
  const rows = [], one = noun();
  const ranks = (key, k, words) => compared(words, s.before[key][k], s.after[key][k], s.gains[key][k], source(s, "retrieval", k));
  if (ranked(s)) rows.push(compared(h("td", {}, h("b", {}, tr`All six measures together`)), s.before.mean_recall, s.after.mean_recall, s.gains.mean_recall, source(s, "retrieval", "mean recall")),
    ranks("text_to_media", "R@1", tr`Right ${one} first`), ranks("text_to_media", "R@5", tr`Right ${one} in the first five`), ranks("media_to_text", "R@1", tr`Right text first`));
  if (s.accuracy) rows.push(compared(tr`Right class first, of ${s.accuracy.items} with a class`, s.accuracy.before, s.accuracy.after, s.accuracy.gain, source(s, "accuracy", "accuracy")));
  if (s.captions) rows.push(compared(tr`Written as people write`, s.captions.before["BLEU-4"], s.captions.after["BLEU-4"], s.captions.gains["BLEU-4"], source(s, "captions", "BLEU-4")));
  const t = s.transcripts;
  if (t) rows.push(...[["WER", tr`Wrong words, of 100`], ["CER", tr`Wrong letters, of 100`]].map(([n, words]) => {
    const fewer = t[n].change;
    return compared(words, t[n].before, t[n].after, fewer, source(s, "transcripts", n), [fewer.high < 0 ? "up" : fewer.low > 0 ? "down" : ""]);
  }));
  return rows;
}
// All that there is, by the names that researchers know; under them the curves.
function everyFigure(s) {
  const rows = [];
  for (const [key, name] of ranked(s) ? [["text_to_media", tr`text → ${noun()}`], ["media_to_text", tr`${noun()} → text`]] : []) {
    for (const k of ["R@1", "R@5", "R@10", "mAP"]) rows.push(compared(`${name}, ${k}`, s.before[key][k], s.after[key][k], s.gains[key][k], source(s, "retrieval", k)));
    rows.push(row([tr`${name}, MedR`, ...[s.before, s.after].map((one) => mm.number(String(one[key].MedR), source(s, "retrieval", "MedR"))), "", ""]));
  }
  const measures = ({ before, after, gains }, from) => Object.keys(gains).map((n) => compared(n, before[n], after[n], gains[n], from(n)));
  if (s.moments) rows.push(...measures(s.moments, (n) => source(s, "moments", n)));
  if (s.captions) rows.push(...measures(s.captions, (n) => source(s, "captions", n)));
  const names = [ranked(s) && tr`R@1, R@5, R@10, mAP, median rank`, s.moments && tr`moments of ${s.moments.before.queries} texts`, s.captions && tr`BLEU-4 and its like`].filter(Boolean).join("; ");
  return rows.length ? h("details", { class: "mm-more" }, h("summary", {}, tr`Show ${names}`), grid(["", ...OLD_NEW], rows), s.captions ? h("p", { class: "mm-fine" }, tr`CLIPScore by ${s.captions.aligner}.`) : "") : "";
}
function allNumbers(s) {
  const rows = plainRows(s), drawnCurves = s.progress ? curves(s) : [];
  const on = ranked(s) ? tr`On ${mm.many(s.before.pairs, "test pair")}` : s.captions ? tr`On ${s.captions.pictures} test pictures` : s.transcripts ? tr`On ${s.transcripts.recordings} test recordings` : "";
  return [h("h2", {}, tr`All numbers`), rows.length ? grid([on, ...OLD_NEW], rows) : "",
    s.before?.note ? h("p", {}, s.before.note) : "",
    s.vocabulary?.length ? h("p", { class: "mm-small" }, tr`Words that transcripts now expect: ${s.vocabulary.slice(0, 20).join(tr`, `)}${s.vocabulary.length > 20 ? " …" : ""}`) : "",
    s.vocabulary?.length && !s.transcripts ? h("p", { class: "mm-small" }, tr`Measuring what they do to test transcripts…`) : "",
    everyFigure(s), drawnCurves.length ? h("details", { class: "mm-more" }, h("summary", {}, tr`Show how it learned`), h("div", { class: "mm-two-charts", "data-curves-of": true }, drawnCurves)) : ""];
}
function writtenNow({ captions: c }) {
  return c?.examples?.length ? [h("h2", {}, tr`The same pictures, old and new`), h("div", { class: "mm-changes mm-written" }, c.examples.map((e) => h("figure", {}, mm.medium(e.item, e.after), h("figcaption", {},
    h("span", { class: "mm-tag" }, tr`old`), h("span", { class: "mm-text" }, e.before), h("span", { class: "mm-tag acc" }, tr`new`), h("span", { class: "mm-text" }, e.after), h("span", { class: "mm-fine" }, tr`people wrote: ${e.wanted}`)))))] : [];
}
const leftOut = (n) => (n ? [h("p", { class: "mm-tell", "data-left-out": true }, n === 1 ? tr`1 pair was left out: its file is gone.` : tr`${n} pairs were left out: their files are gone.`)] : []);
const WORTH = tr`What more answers would bring`;
function worth(s) {
  if (s.curve) return [h("h2", {}, WORTH), h("p", { class: "mm-small" }, mm.readings(s.curve.advice, source(s, "worth"))),
    chart(tr`Right answers found, side check`, [{ dots: true, points: s.curve.points.map((p) => [p.labels, p.recall]), band: s.curve.points.map((p) => [p.labels, p.low, p.high]) }], tr`answers to learn from`, " %", source(s, "worth"))];
  const words = s.no_curve || (s.status === "done" && s.method === "head" ? tr`Measuring…` : "");
  return words ? [h("h2", {}, WORTH), h("p", { class: "mm-small" }, words)] : [];
}
