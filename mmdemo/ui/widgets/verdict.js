// What became of a run, in a sentence first; what the gate said of it and what it would need, and what one can do now
function gainOf(s) {
  if (s.captions) return { ...s.captions.gains["BLEU-4"], from: source(s, "captions", "BLEU-4") };
  return ranked(s) ? { ...s.gains.mean_recall, from: source(s, "retrieval", "mean recall") } : null;
}
const points = (g) => mm.number(tr`${signed(g.gain)} points`, g.from);
const UNTOLD = { chance: tr`The test answers fit neither model`, unmeasured: tr`Not tested: there are no test pairs`, few: tr`Not yet: too few test pairs` };
function titleOf(s) {
  const g = gainOf(s), why = s.gate?.why;
  if (s.gate?.certain) return g && g.gain >= 0.05 ? [tr`Better: `, points(g)] : [tr`Better: right answers stand nearer to the top`];
  if (UNTOLD[why]) return [UNTOLD[why]];
  if (why === "worse" || (g && g.gain <= 0)) return g && g.gain <= -0.05 ? [tr`Not better: `, points(g)] : [tr`Not better than before`];
  return g ? [tr`Not yet: `, h("span", { class: "mm-whole" }, points(g), tr`,`), tr` could be luck`] : [tr`Not yet: it could be luck`];
}
// The one number that says how much better, with what it may as well be; "as before" stands in it.
function gainBar(s) {
  const g = gainOf(s);
  if (!g || g.gain === null) return "";
  const W = 400, reach = Math.max(...[g.low, g.high, g.gain].map(Math.abs), 0.5) * 1.15, least = Math.min(0, g.low, g.gain) < 0 ? -reach : -reach / 3, most = Math.max(0, g.high, g.gain) > 0 ? reach : reach / 3;
  const X = (v) => 12 + ((v - least) / (most - least)) * (W - 24), text = (v, y, words, more = {}) => svg("text", { x: X(v), y, "text-anchor": "middle", ...more }, words);
  const certain = s.gate?.certain, said = g.low > 0 ? (certain ? tr`All of it is above “as before”.` : tr`All of it is above “as before”, but such a bar alone lets luck through when several tries are looked at.`) : g.high < 0 ? tr`All of it is below “as before”.` : certain ? tr`It reaches below “as before”; pair by pair, right answers moved up more often than luck does it.` : tr`It reaches below “as before”, so nothing is sure.`;
  return h("figure", { class: "mm-gain" }, svg("svg", { viewBox: `0 0 ${W} 84`, role: "img", "aria-label": tr`Gain ${signed(g.gain)}, likely between ${signed(g.low)} and ${signed(g.high)}` },
    svg("path", { class: "axis", d: `M10 44H${W - 10}` }), svg("path", { class: "before", d: `M${X(0)} 24V64` }), svg("path", { class: "likely", d: `M${X(g.low)} 44H${X(g.high)}` }), svg("circle", { cx: X(g.gain), cy: 44, r: 8 }),
    text(0, 14, tr`as before`), text(g.gain, 30, signed(g.gain), { class: "mine" }), text(g.low, 76, signed(g.low)), text(g.high, 76, signed(g.high))),
    h("figcaption", {}, tr`The true gain is very likely inside this bar. `, said));
}
// Of the gate's verdict, in plain words: `need` is in items of the test.
function saidOf(s) {
  const g = s.gate || {}, gain = gainOf(s), on = tr`${g.items} test ${g.items === 1 ? noun() : mm.task.modality.plural}`, need = g.need && mm.number(tr`${g.need} more`, source(s, "gate"));
  const said = [];
  if (g.certain) said.push(tr`Certain enough to promote. `);
  if (ranked(s) && s.before.text_to_media["R@1"] !== null) {
    const first = (one) => Math.round((one.text_to_media["R@1"] * s.before.pairs) / 100);
    said.push(tr`Of ${s.before.pairs} test pairs, the new model puts the right ${noun()} first for ${first(s.after)}; the old one for ${first(s.before)}. `);
  }
  if (g.why === "not-certain") said.push(...(need ? tr`About ${need} test ${mm.task.modality.plural} would tell. ` : [tr`The gain is too small for any test to tell. `]));
  if (g.why === "not-asked") said.push(...(need ? tr`On pairs that it had not seen, the gain is too small for ${on} to prove, so the test was not opened and no attempt is counted. About ${need} test ${mm.task.modality.plural}, or more answers to learn from, would help. `
    : [tr`On pairs that it had not seen, no gain shows that the test could prove, so the test was not opened and no attempt is counted. More answers to learn from would help. `]));
  if (g.why === "few") said.push(...[tr`${on} are too few to decide by: ${need || ""} are needed. `].flat());
  if (g.why === "chance") said.push(tr`Look at the answers of the test pairs in the Data tab: neither model finds what they say. `);
  if (g.why === "stopped") said.push(tr`It was stopped, so the test was not opened; what it had learned until then is kept. `);
  if (g.attempt) said.push(tr`This was attempt ${g.attempt} on ${on}; each attempt makes the bar a little higher. `);
  if (!said.length && gain) said.push(tr`Nobody asked for a test. `);
  return said;
}
// The gate's own sentence and numbers.
function tested(s) {
  const g = s?.gate;
  if (!g) return "";
  const share = (x) => mm.number(`${(100 * x).toPrecision(2)} %`, source(s, "gate"));
  return h("details", { class: "mm-more", "data-gate": true }, h("summary", {}, tr`How this was decided`), h("p", {}, mm.readings(g.sentence, source(s, "gate"))),
    g.items ? h("p", { "data-tested": true }, g.attempt ? tr`Attempt ${g.attempt} on ${g.items} held-out items: chance alone would do as well in ${share(g.p)} of cases, and ${share(g.alpha)} are allowed.` : tr`${g.items} held-out items; no attempt was spent.`,
      g.visible?.points ? tr` With so many, a gain of ${mm.number(tr`${g.visible.points.toFixed(1)} points`, source(s, "visible"))} of mean recall is seen in 80 of 100 cases.` : "") : "");
}
const press = (words, act, more = {}) => h("button", { class: "mm-button", type: "button", onclick: guard(act), ...more }, words);
const decide = (s, promote) => api("decide", { run: s.run, promote });
async function promoteAnyway(s) {
  if (await mm.confirm(tr`The test did not show that it is better. Use it for everyone all the same? One press goes back.`, tr`Use it for everyone`)) await decide(s, true);
}
// For oneself alone, where everybody else is answered as before.
function tryIt(s) {
  mm.version.choose(mm.task.name, s.model);
  mm.openTab(mm.gradioTabs().map((tab) => tab.textContent.trim()).find((name) => name.toLowerCase() === mm.task.modality.tab) || "Image");
  toast(tr`${s.model} answers you alone now. The menu at the top goes back.`);
}
async function testNow(s) { toast(tr`Testing…`); toast((await api("retest_version", { version: s.model })).gate.sentence, false, 9000); }
function doesOf(s) {
  const own = s.model && chosenTask() !== "captioning" && !s.active ? press(tr`Try it yourself`, () => tryIt(s), { class: "mm-button mm-plainly", "data-try-it": true }) : "";
  const again = press(tr`Tune again`, () => { freshly = true; }, { class: "mm-button mm-plainly", "data-again": true });
  if (s.active) return [press(tr`Go back to the old one`, () => decide(s, false), { "data-keep": true }), again];
  const kept = s.decision === "kept-old" ? "" : press(tr`Keep the old one`, () => decide(s, false), { "data-keep": true });
  if (s.gate?.certain) return [press(tr`Promote for everyone`, () => decide(s, true), { class: "mm-button primary", "data-promote": true }), kept, own, again];
  const test = s.gate?.why === "not-asked" && ranked(s) ? press(tr`Test it now`, () => testNow(s), { class: "mm-button mm-plainly", title: tr`It spends an attempt, and promotes it where it is certainly better`, "data-test": true }) : "";
  return [press(tr`Label more`, () => mm.openTab("Label"), { class: "mm-button primary" }), kept, own, test, press(tr`Use it anyway…`, () => promoteAnyway(s), { class: "mm-button mm-plainly", "data-promote": true }), again];
}
const decidedOf = (s) => (s.active ? tr`In use: everyone is answered by it now.` : { promoted: tr`It was in use for everyone; another version is now.`, "kept-old": tr`The old one is kept: everyone is answered by it.` }[s.decision] || (s.model ? tr`Waiting: everyone is answered by the old one.` : ""));
function verdict(s) {
  return h("section", { class: `mm-verdict ${s.gate?.certain ? "better" : ""}`, "aria-label": tr`Verdict`, "aria-live": "polite" },
    h("div", {}, h("h1", {}, titleOf(s)), h("p", {}, saidOf(s)), h("div", { class: "mm-row" }, doesOf(s)), h("p", { class: "mm-fine", "data-decided": true }, decidedOf(s)), ...leftOut(s.trained_on?.left_out), tested(s)), gainBar(s));
}
