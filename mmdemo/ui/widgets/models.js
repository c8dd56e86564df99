// Base models: what there is, what it needs, taking one, and the device
const hand = $("[name=by_hand]");
let taking = false;
const device = (d) => tr`${tr.told(d.name)} · ${d.format} · memory ${mb(d.used_mb)} of ${mb(d.total_mb)}${d.busy === null ? "" : tr` · ${Math.round(d.busy)} % busy`}`;
const useButton = (p) => h("button", { class: "mm-button", type: "button", "data-use": p.id, disabled: taking || !p.fits, title: p.fits ? "" : tr`It does not fit in the memory that is free`, onclick: () => take(p.id) }, tr`Use`);
// What only researchers know stands behind "details".
const OF_METHOD = /ConSE|DeViSE/;
function modelRow(p) {
  const said = p.about.match(/[^.]+\.?/g) || [], plain = said.filter((one) => !OF_METHOD.test(one)).join("").trim(), rest = said.filter((one) => OF_METHOD.test(one)).join("").trim();
  const facts = [[tr`architecture`, p.architecture], ...(p.weights ? [[tr`weights`, tr`${p.weights} at ${p.revision}`]] : []), [tr`licence`, p.licence], [tr`memory`, mb(p.memory_mb)], [tr`can learn`, p.methods.map((x) => tr.told(TERMS[x] || x)).join(tr`, `)], ...(rest ? [[tr`how`, rest]] : [])];
  return row([h("td", {}, h("b", {}, p.id), p.base ? h("span", { class: "mm-tag acc" }, tr`in use`) : "", h("div", { class: "mm-fine" }, plain), h("details", { class: "mm-more" }, h("summary", {}, tr`details`), mm.facts(facts))),
    h("td", { class: "mm-whole" }, mb(p.size_mb), p.fits ? "" : h("div", { class: "mm-fine down" }, tr`needs ${mb(p.memory_mb)} of memory`)),
    h("td", {}, p.at_hand ? tr`on this machine` : h("span", { "data-away": p.id }, tr`to download`)),
    h("td", {}, p.base ? "" : useButton(p))], { class: p.base ? "first" : "" });
}
views.models = async () => {
  drawOffer();
  const about = chosenTask(), m = await mm.awaited($("[data-models]"), { doing: tr`Reading the models`, shape: "table" }, () => ask("models"));
  if (about !== chosenTask()) return;
  $("[data-device]").textContent = device(m.device);
  hand.placeholder = tr`Hub id or folder`;
  $("[data-by-hand]").textContent = tr`Any model of these architectures, by its Hub id (ID@REVISION pins one) or its folder on the machine that runs this page${m.by_hand.includes("towers") ? tr`; or two towers, as cnn+rnn or timm/NAME+HUB-ID` : m.by_hand.includes("sound-towers") ? tr`; or two towers, as cnn+rnn` : ""}.`;
  const rows = m.models.map(modelRow);
  if (chosenTask() === "captioning") rows.unshift(row([h("td", {}, h("b", {}, tr`proposed`), m.base === "proposed" ? h("span", { class: "mm-tag acc" }, tr`in use`) : "", h("div", { class: "mm-fine" }, tr`No network: captions are put together from what the picture model sees and the texts of answers.`)), "", tr`on this machine`,
    h("td", {}, m.base === "proposed" ? "" : useButton({ id: "proposed", fits: true }))]));
  $("[data-models]").replaceChildren(grid([tr`model`, tr`size`, tr`where`, ""], rows));
  if (m.models.some((p) => !p.at_hand)) api("hub").then(({ closed }) => closed && barred(closed)).catch(() => {});
};
// What has to be downloaded cannot be used where the Hub cannot be reached.
function barred(why) {
  for (const away of element.querySelectorAll("[data-away]")) {
    away.textContent = tr`to download, but ${why}`;
    const use = element.querySelector(`[data-use="${away.dataset.away}"]`);
    if (use) { use.disabled = true; use.title = tr`It is not on this machine, and ${why}`; }
  }
}
async function take(name) {
  error("");
  taking = true;
  const task = chosenTask(), line = $("[data-loading]"), stop = $("[data-stop-loading]");
  line.textContent = tr`Loading ${name}…`;
  stop.hidden = false;
  for (const b of element.querySelectorAll("[data-use], [data-take]")) b.disabled = true;
  const timer = setInterval(() => api("loading", { task }).then((s) => { if (taking && /^(Fetching|Loading)/.test(s.message)) line.textContent = s.message; }).catch(() => {}), 700);
  stop.onclick = () => api("stop_loading", { task }).catch(() => {});
  try { await api("choose_model", { task, model: name }); line.textContent = tr`${name} is in use.`; } catch (x) { line.textContent = ""; error(x.message); }
  clearInterval(timer);
  taking = false;
  stop.hidden = true;
  $("[data-take]").disabled = false;
  refreshData();
  drawPart();
  poke();
}
$("[data-hand]").onsubmit = (e) => { e.preventDefault(); if (hand.value.trim()) take(hand.value.trim()); };
