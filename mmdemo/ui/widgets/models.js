// Base models: what there is, what it needs, taking one, and the device
const hand = $("[name=by_hand]");
let taking = false;
const device = (d) => `${d.name} · ${d.format} · memory ${mb(d.used_mb)} of ${mb(d.total_mb)}${d.busy === null ? "" : ` · ${Math.round(d.busy)} % busy`}`;
views.models = async () => {
  drawOffer();
  const m = await ask("models").catch((e) => { error(e.message); return null; });
  if (!m) return;
  $("[data-device]").textContent = device(m.device);
  hand.placeholder = "Hub id or folder";
  $("[data-by-hand]").textContent = `Any model of these architectures, by its Hub id (ID@REVISION pins one) or its folder on the machine that runs this page${m.by_hand.includes("towers") ? "; or two towers, as cnn+rnn or timm/NAME+HUB-ID" : m.by_hand.includes("sound-towers") ? "; or two towers, as cnn+rnn" : ""}.`;
  const rows = m.models.map((p) => row([
    h("td", {}, h("b", {}, p.id), p.base ? h("b", { class: "mm-now" }, " in use") : "", h("div", { class: "mm-faint" }, `${p.about}`)),
    h("td", {}, p.architecture, p.weights ? h("div", { class: "mm-faint" }, `${p.weights} at ${p.revision}`) : ""), h("td", { class: "mm-whole" }, p.licence), h("td", { class: "mm-whole" }, mb(p.size_mb)),
    h("td", { class: p.fits ? "mm-whole" : "mm-whole down" }, mb(p.memory_mb)), h("td", { class: "mm-whole" }, p.methods.map((x) => METHODS[x] || x).join(", ")), h("td", { class: "mm-whole" }, p.at_hand ? "yes" : h("span", { "data-away": p.id }, "to download")),
    h("td", { class: "mm-does" }, p.base ? "" : h("button", { class: "mm-link", type: "button", "data-use": p.id, disabled: taking || !p.fits, title: p.fits ? "" : "It does not fit in the memory that is free", onclick: () => take(p.id) }, "use"))], { class: p.base ? "first" : "" }));
  if (chosenTask() === "captioning") rows.unshift(row([h("td", {}, h("b", {}, "proposed"), m.base === "proposed" ? h("b", { class: "mm-now" }, " in use") : "", h("div", { class: "mm-faint" }, "No network: captions are put together from what the picture model sees and the texts of labels.")), "", "", "", "", "", "yes",
    h("td", {}, m.base === "proposed" ? "" : h("button", { class: "mm-link", type: "button", "data-use": "proposed", disabled: taking, onclick: () => take("proposed") }, "use"))]));
  $("[data-models]").replaceChildren(grid(["model", "architecture", "licence", "weights", "memory", "learns by", "at hand", ""], rows));
  if (m.models.some((p) => !p.at_hand)) api("hub").then(({ closed }) => closed && barred(closed)).catch(() => {});
};
// What has to be downloaded cannot be used where the Hub cannot be reached.
function barred(why) {
  for (const away of element.querySelectorAll("[data-away]")) {
    away.textContent = `to download, but ${why}`;
    away.closest("td").classList.remove("mm-whole");
    const use = element.querySelector(`[data-use="${away.dataset.away}"]`);
    if (use) { use.disabled = true; use.title = `It is not on this machine, and ${why}`; }
  }
}
async function take(name) {
  error("");
  taking = true;
  const task = chosenTask(), line = $("[data-loading]"), stop = $("[data-stop-loading]");
  line.textContent = `Loading ${name}…`;
  stop.hidden = false;
  for (const b of element.querySelectorAll("[data-use], [data-take]")) b.disabled = true;
  const timer = setInterval(() => api("loading", { task }).then((s) => { if (taking && /^(Fetching|Loading)/.test(s.message)) line.textContent = s.message; }).catch(() => {}), 700);
  stop.onclick = () => api("stop_loading", { task }).catch(() => {});
  try { await api("choose_model", { task, model: name }); line.textContent = `${name} is in use.`; } catch (x) { line.textContent = ""; error(x.message); }
  clearInterval(timer);
  taking = false;
  stop.hidden = true;
  $("[data-take]").disabled = false;
  refreshData();
  views.models();
  poke();
}
$("[data-hand]").onsubmit = (e) => { e.preventDefault(); if (hand.value.trim()) take(hand.value.trim()); };
