const { api, address, poll, outbox } = mm;
const line = element.querySelector(".mm-status"), notices = element.querySelector(".mm-notices");
const shares = element.querySelector("[data-share]");
shares.append(mm.icon("share"), h("span", {}, tr`Share`));
shares.onclick = () => address.share();
const model = element.querySelector("[data-model]");
model.append(mm.icon("down"));
mm.version.menu(model);
mm.firstSteps.put(element.querySelector(".mm-steps"));
mm.languages.menu(element.querySelector("[data-language]"));
const ANSWERS_MS = 15000;  // a server that says nothing for so long is not there
const SOON_MS = 1000;  // what waits no longer than this is nothing to speak of
let last = null, lost = false, refused = "";  // the newest status; whether nothing answers; why the server gives none
let mine = { labels: 0, undos: 0, aside: 0, anothers: 0, state: "" }, since = 0;  // what waits in the browser, and since when

const press = (kind, onclick, words, more = {}) =>
  h("button", { class: kind, type: "button", onclick, ...more }, words);
const link = (...how) => press("mm-link", ...how), button = (...how) => press("mm-button", ...how);
const some = (n, word) => n && mm.many(n, word);
function waiting() {
  const { labels, undos, state } = mine, all = labels + undos;
  if (!all || (!state && !lost && Date.now() - since < SOON_MS)) return null;
  const what = [some(labels, "label"), some(undos, "undo")].filter(Boolean).join(tr` and `);
  const waits = all === 1 ? "waits" : "wait";
  const how = { class: "mm-dot busy", "data-waiting": true, title: mine.why || null };
  const part = (...words) => h("span", how, words);
  if (state !== "sign-in") return part(tr`${what} ${waits} for the server`, ...(state ? [" · ", link(() => outbox.sendNow(), tr`Try now`)] : []));
  const discard = async () => { if (await mm.confirm(tr`Discard ${what}?`, tr`Discard`)) outbox.discardWaiting(); };
  return part(tr`${what} ${waits} until you sign in · `, link(() => outbox.signIn(), tr`Sign in`), " · ", link(discard, tr`Discard`));
}
function aside() {
  if (!mine.aside) return null;
  return link(showAside, tr`${some(mine.aside, "label")} could not be stored`, { "data-aside": true });
}
function anothers() {
  if (!mine.anothers) return null;
  const words = tr`${some(mine.anothers, "label")} of somebody else ${mine.anothers === 1 ? "waits" : "wait"}`;
  return link(showAnothers, words, { "data-anothers": true });
}
const notice = (...words) => h("p", {}, mm.icon("warn"), h("span", {}, ...words));
function draw() {
  const parts = [], wait = waiting(), told = [];
  if (lost) told.push(notice(h("b", {}, tr`No connection`), wait ? "" : tr`. Trying again…`));
  else if (refused) told.push(notice(h("span", { "data-refused": true }, refused)));
  if (last) {
    const { model, index } = last, own = mm.version.of(mm.task.name), version = own || last.version;
    const about = [model.message, mm.many(index.items, mm.task.modality.noun, mm.task.modality.plural)].join("\n");
    if (lost || refused) parts.push(h("span", { class: "mm-dot", title: about }, version));
    else if (model.state === "ready") parts.push(h("span", { class: index.working ? "mm-dot busy" : "mm-dot good", title: about }, version));
    else if (model.state === "failed") { parts.push(h("span", { class: "mm-dot bad" }, version)); told.push(notice(model.message)); }
    else parts.push(h("span", { class: "mm-dot busy" }, model.message));
    if (own && own !== last.version) parts.push(h("span", { class: "mm-fine", title: tr`Everybody else is answered by ${last.version}` }, tr`for you alone`));
    if (index.working && !lost) parts.push(h("span", { class: "mm-fine" }, index.working));
    else if (index.stale > 0 && model.state === "ready") {
      const behind = tr`${Math.ceil(index.stale * 100)} % of the collection still shows the version before`;
      parts.push(h("span", { class: "mm-fine", title: behind }, tr`updating the collection`));
    }
    if (!last.keeping.lasting) told.push(notice(tr.told(last.keeping.text)));
  }
  for (const more of [wait, aside(), anothers()].filter(Boolean)) told.push(notice(more));
  line.replaceChildren(...parts);
  notices.replaceChildren(...told);
  notices.hidden = !told.length;
}

// What could not be stored: each with its sentence, to be saved as a file, tried again or given up.
const of = ({ body, shown }) => `${tr.told(body.verdict)} “${body.text || shown?.text || body.pair}”`;
const said = (entry) => (entry.action === "take_back" ? "undo" : of(entry));
const showAside = () => show(outbox.aside(), tr`could not be stored`, outbox.discard, outbox.retry);
// What waits for somebody else can be stored: whoever sits here now is told so before they delete it.
function showAnothers() {
  const entries = outbox.anothers();
  show(entries, tr`of somebody else, who has not signed in again`, () => outbox.discardAnothers(entries));
}
function show(entries, how, discard, retry) {
  const row = ({ at, body, about: _, ...entry }) => ({ made: new Date(at).toISOString(), ...entry, ...body });
  const told = entries.map(row);
  const file = () => mm.saveFile("mmdemo-labels.json", JSON.stringify(told, null, 2), "application/json");
  const again = () => { dialog.close(); retry(); };
  const giveUp = async () => {
    dialog.close();
    const relative = retry ? "that " : "";
    if (await mm.confirm(tr`Delete ${some(entries.length, "label")} ${relative}${how}?`, tr`Delete`)) discard();
  };
  const dialog = h("dialog", { class: "mm-dialog mm-aside" },
    h("p", {}, h("strong", {}, `${some(entries.length, "label")} ${how}`)),
    h("ul", {}, entries.map((entry) => h("li", {}, said(entry), h("span", { class: "mm-faint" }, ` ${entry.why}`)))),
    h("div", { class: "mm-row" },
      press("mm-button primary", file, tr`Save as a file`), retry ? button(again, tr`Try again`) : "", button(giveUp, tr`Delete`),
      button(() => dialog.close(), tr`Close`)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// The row of tabs lies in the header's own line, above what is told below it.
new ResizeObserver(() => document.documentElement.style.setProperty("--notices", `${notices.offsetHeight}px`)).observe(notices);
addEventListener("mm-version", draw);
outbox.watch((now) => {
  if (!(mine.labels + mine.undos)) since = Date.now();
  if (now.state === "away" && mine.state !== "away") { lost = true; mm.poke(); }  // a status says whether it is so
  mine = now;
  draw();
  if (now.labels + now.undos) setTimeout(draw, SOON_MS);
});
const ask = async () => {
  const asked_ms = Date.now();
  return { ...await api("status", { task: mm.task.name }, { signal: AbortSignal.timeout(ANSWERS_MS) }), asked_ms };
};
poll(element, 10000, ask, (status, error) => {
  lost = Boolean(error && !error.told);  // what stands between the page and the server has no words of ours
  refused = error?.told ? error.message : "";
  if (error) {
    draw();
    return Math.max(2000, (error.after_s || 0) * 1000);
  }
  last = status;
  draw();
  dispatchEvent(new CustomEvent("mm-status", { detail: status }));
  return status.model.state === "ready" && !status.index.working && !status.index.stale ? 10000 : 800;
});
