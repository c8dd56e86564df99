// The map: the whole collection as points, alike ones near each other.
const { h, api, thumb } = mm;
const $ = (selector) => element.querySelector(selector);
const frame = $("[data-map]"), over = $("[data-over]"), side = $("[data-side]"), peek = $("[data-peek]"), say = $("[data-say]"), ask = $("[data-ask]"), words = ask.querySelector("input"), by = $("[data-by]");
const EVERY_MS = 15000, SOON_MS = 900, WAITING_MS = 1000, FITS = 0.5 * PARTS, PERHAPS = 0.3 * PARTS;
let points = null, token = "", model = "", state = "", of = "";  // the newest map, whose version and task it is
let scores = null, measured = true, note = "", lit = "";  // how well each point fits the text that was asked for
let wished = null;  // what a link says and is shown once the points are there
const version = () => mm.version.of(mm.task.name);

/* How points look: shape and colour together, by what is chosen */
const GROUP_SHAPES = ["disc", "square", "triangle", "diamond"];
const GROUP_LOOK = (g) => ({ shape: GROUP_SHAPES[Math.floor(g / 8) % 4 ? Math.floor(g / 8) % 4 : g % 4], colour: `var(--map-${g % 8})` });
const TONES = { good: { shape: "disc", colour: "var(--yes)" }, bad: { shape: "cross", colour: "var(--no)" }, neutral: { shape: "ring", colour: "var(--ink2)" } };
const NO_ANSWER = { shape: "dot", colour: "var(--bar-no)" };
const kindLook = (kind) => TONES[mm.kinds.find((one) => one.name === kind)?.tone] || NO_ANSWER;
const SCORE_LOOKS = [{ shape: "disc", colour: "var(--accent)" }, { shape: "diamond", colour: "var(--map-fair)" }, { shape: "dot", colour: "var(--bar-no)" }, { shape: "cross", colour: "var(--ink3)" }, { shape: "ring", colour: "var(--accent)" }];
let nearest = new Set();  // where nothing surely fits, what comes nearest
const scoreLook = (i) => (scores[i] === UNKNOWN ? 3 : nearest.has(i) ? 4 : measured && scores[i] >= FITS ? 0 : measured && scores[i] >= PERHAPS ? 1 : 2);
const drawnBy = () => (by.value === "score" && !scores ? "answers" : by.value);
// Of each way to colour: the looks with their names, and which a point has.
const WAYS = {
  answers: () => ({ looks: points.kinds.map((kind) => [nameOf(kind), kindLook(kind)]), of: (i) => points.answer[i] }),
  score: () => ({ looks: SCORE_LOOKS.map((look, k) => [SAYS.scored[k], look]), of: scoreLook }),
  source: () => ({ looks: points.sources.map((source, k) => [SAYS.sources[source] || source, GROUP_LOOK(k)]), of: (i) => points.source[i] }),
  groups: () => ({ looks: [...points.named.map((group, g) => [group.name || SAYS.unnamed(g + 1), GROUP_LOOK(g)]), ["", NO_ANSWER]], of: (i) => (points.group[i] === NO_GROUP ? points.named.length : points.group[i]) }),
};
const plain = (colour) => (colour.startsWith("var(") ? getComputedStyle(frame).getPropertyValue(colour.slice(4, -1)).trim() : colour);
const swatch = ({ shape, colour }) => {
  const drawing = { disc: ["circle", { cx: 6, cy: 6, r: 5 }], dot: ["circle", { cx: 6, cy: 6, r: 3.8 }], ring: ["circle", { cx: 6, cy: 6, r: 4, fill: "none", stroke: "currentColor", "stroke-width": 2 }], cross: ["path", { d: "M2 2l8 8m0-8l-8 8", stroke: "currentColor", "stroke-width": 2.4 }], square: ["rect", { x: 1.5, y: 1.5, width: 9, height: 9 }], diamond: ["path", { d: "M6 0l6 6-6 6-6-6z" }], triangle: ["path", { d: "M6 1l5.5 10H.5z" }] }[shape];
  const icon = mm.svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true", style: `color:${colour};fill:currentColor` }, mm.svg(...drawing));
  return h("span", { class: "mm-map-swatch" }, icon);
};
const MOST_LOOKS = 250;  // a point's look is a byte, and that of the selected ones another
function dressed() {
  if (!points) return;
  const { looks, of: lookOf } = WAYS[drawnBy()](), shown = looks.slice(0, MOST_LOOKS / 2), n = shown.length, worn = new Uint8Array(points.n), seen = new Set();
  // The plainest lie below: those without an answer, and what does not fit.
  const place = shown.map((_, k) => (drawnBy() === "answers" || drawnBy() === "score" ? n - 1 - k : k));
  for (let i = 0; i < points.n; i += 1) { const k = Math.min(lookOf(i), n - 1); seen.add(k); worn[i] = place[k] + (chosen?.[i] ? n : 0); }
  const styles = new Array(2 * n);
  shown.forEach(([, look], k) => {
    const colour = plain(look.colour), isPlain = look === NO_ANSWER || look === SCORE_LOOKS[2];
    styles[place[k]] = { ...look, colour };
    styles[n + place[k]] = { ...look, shape: isPlain ? "disc" : look.shape, colour: isPlain ? plain("var(--accent)") : colour, size: 1.15 };
  });
  atlas.dress(styles, worn);
  const rows = shown.filter(([name], k) => name && seen.has(k));
  $("[data-legend]").replaceChildren(...rows.slice(0, 8).map(([name, look]) => h("span", {}, swatch(look), name)), ...(rows.length > 8 ? [h("span", {}, tr`and ${rows.length - 8} more`)] : []));
}

/* What lies above the points: the names of groups, what is drawn, the point in focus */
function drawOver(c, { toScreen, css, radius, wide, moving }) {
  if (line || (count && how[0] === "l")) {
    const corners = line || how.slice(1).split(",").map(Number).reduce((all, v, k) => { if (k % 2) all[all.length - 1].push(v); else all.push([v]); return all; }, []);
    c.beginPath();
    corners.map(([x, y]) => toScreen(x, y)).forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.fillStyle = c.strokeStyle = css("--accent");
    c.globalAlpha = 0.1; c.fill(); c.globalAlpha = 1;
    c.lineWidth = 1.8; c.setLineDash([6, 4]); c.stroke(); c.setLineDash([]);
  }
  if (!moving) {
    c.font = `600 13px ${css("font")}`;
    c.textAlign = "center"; c.lineWidth = 4; c.lineJoin = "round"; c.strokeStyle = css("--surface"); c.fillStyle = css("--ink2");
    const taken = [];
    for (const group of named) {
      const { name, x, top } = group, [px, py] = toScreen(x, top), half = (group.width ||= c.measureText(name).width) / 2, cx = Math.max(half + 8, Math.min(wide - half - 8, px)), box = [cx - half - 4, py - 22, cx + half + 4, py - 2];
      if (taken.some((b) => b[0] < box[2] && b[2] > box[0] && b[1] < box[3] && b[3] > box[1])) continue;
      taken.push(box);
      c.strokeText(name, cx, py - 8); c.fillText(name, cx, py - 8);
    }
  }
  const i = near >= 0 ? near : document.activeElement === over ? focused : -1;
  if (i < 0 || moving) return;
  const [x, y] = toScreen(points.x[i], points.y[i]);
  c.beginPath(); c.arc(x, y, radius + 4, 0, 7); c.lineWidth = 2; c.strokeStyle = css("--ink"); c.stroke();
}
const atlas = mapCanvas(frame, $("[data-points]"), over, { drawOver, moved: () => { peek.hidden = true; remember?.(); } });
// Where the names stand: above the middle of what lies there, the largest groups first.
let named = [];
function place() {
  named = points.named.map((group, g) => {
    const ys = [];
    for (let i = 0; i < points.n; i += 1) if (points.group[i] === g && Math.abs(points.x[i] - group.x) < 0.12) ys.push(points.y[i]);
    ys.sort((a, b) => a - b);
    return { ...group, top: ys.length ? ys[Math.floor(ys.length * 0.08)] : group.y };
  }).filter((group) => group.name && group.items).sort((a, b) => b.items - a.items);
}

/* What the server says: the points, or how far they are */
function tell(answer) {
  const box = $("[data-told]"), what = mm.task.modality.plural, press = (name, f) => h("button", { class: "mm-button", type: "button", onclick: attempt(f) }, name);
  const again = () => load({ again: true });
  const parts = { empty: [h("p", {}, answer.items ? SAYS.few(what) : SAYS.empty(what)), answer.items ? "" : press(SAYS.emptyDo, () => mm.openTab(mm.tabTitles.data))],
    working: [h("p", {}, !answer.points && !points ? SAYS.begins(what) : SAYS.laying(itemsWord(answer.items), Math.round(100 * answer.share), answer.left_s ? mm.seconds(answer.left_s) : "")), h("div", { class: "mm-bar" }, h("i", { style: `width:${Math.round(100 * answer.share)}%` })), press(SAYS.stop, async () => { await api("stop_map", { task: mm.task.name, version: version() }); mm.poke(); })],
    stopped: [h("p", {}, SAYS.stopped), press(SAYS.again, again)], failed: [h("p", { class: "mm-error" }, answer.error), press(SAYS.retry, again)] }[answer.state] || [];
  if (box.dataset.state === answer.state && answer.state === "working" && box.childElementCount) {
    box.firstChild.textContent = parts[0].textContent;
    box.querySelector("i").style.width = `${Math.round(100 * answer.share)}%`;
  } else box.replaceChildren(...parts.filter(Boolean));
  box.dataset.state = answer.state;
  box.classList.toggle("alone", !points?.n);
}
function arrived(answer, task) {
  const before = model, other = of !== task;
  [model, state, of] = [answer.model, answer.state, task];
  side.dataset.model = model;
  if (answer.points) {
    token = answer.token;
    const next = pointsOf(answer.points, answer.kinds, answer.answers);
    const keep = points && !other && how;
    points = next;
    named = [];
    atlas.show(other ? null : next);
    if (other) atlas.show(next);
    known.clear();
    near = focused = -1;
    scores = scores && scores.length === next.n && !other ? scores : null;
    place();
    over.setAttribute("aria-label", SAYS.map(itemsWord(next.n)));
    frame.classList.remove("waiting");
    wished ||= keep ? { in: keep } : null;
    if (!wished) chosen = null, count = 0, how = "";
    if (before && before !== model && !other) say.textContent = SAYS.moved(model);
    if (lit) light(lit, wished ? wayOf(wished) : by.value);
  } else if (points && answer.answers) points.answer = bytesOf(answer.answers);
  if (answer.token === "" && other) { points = null; atlas.show(null); drawSide(); }
  if (points && wished) { const link = wished; wished = null; selectBy(link.in); } else { dressed(); if (answer.points || !side.childElementCount) drawSide(); }
  tell(answer);
}
const request = (more = {}) => ({ task: mm.task.name, version: version(), known: of === mm.task.name ? token : "", ...more });
async function load(more = {}) {
  const asked = request(more), answer = await api("map_points", asked);
  if (asked.task === mm.task.name && asked.version === version()) arrived(answer, asked.task);
  mm.poke();
}
let slow = setTimeout(() => waits(), WAITING_MS);
function waits() { if (!points && !$("[data-told]").childElementCount) { $("[data-told]").classList.add("alone"); $("[data-told]").replaceChildren(h("p", {}, SAYS.waiting(mm.task.modality.plural))); } }
mm.poll(element, EVERY_MS, async () => { const asked = request(); return { asked, answer: await api("map_points", asked) }; }, (got, error) => {
  clearTimeout(slow);
  if (error) { if (!points) tell({ state: "failed", error: error.message }); return Math.max(2000, (error.after_s || 0) * 1000); }
  if (got.asked.task !== mm.task.name || got.asked.version !== version()) return SOON_MS;
  arrived(got.answer, got.asked.task);
  return got.answer.state === "working" ? SOON_MS : EVERY_MS;
});

/* A text lights up what fits it */
// `way`: how the points are coloured then.
async function light(text, way = "score") {
  lit = text.trim();
  words.value = lit;
  known.clear();
  remember(true);
  if (!lit) { scores = null; note = ""; if (by.value === "score") by.value = "answers"; dressed(); drawSide(); return; }
  const mine = lit;
  ask.setAttribute("aria-busy", "true");
  try {
    const got = await mm.patiently(() => api("map_scores", { task: mm.task.name, version: version(), query: mine }));
    if (mine !== lit) return;
    if (got.token !== token) return load().then(() => (points && lit === mine && !scores ? light(mine) : null));
    scores = bytesOf(got.scores);
    ({ measured, note } = got);
    nearest = new Set(isNearest() ? fitting() : []);
    by.value = way;
    dressed();
    drawSide();
    remember();
  } catch (e) { if (mine === lit) { mm.toast(e.message, true); } } finally { ask.removeAttribute("aria-busy"); }
}

/* What stands in the address */
const wayOf = (link) => (link.by in WAYS ? link.by : link.text ? "score" : "answers");
const BEGINNING = "1";
const viewed = () => { const { zoom, x, y } = atlas.view; return zoom === 1 && x === 0.5 && y === 0.5 ? "" : [zoom, x, y].map((v) => Number(v.toFixed(3))).join(","); };
const remember = mm.address.keep("map", element, {
  state: () => ({ text: lit, by: by.value === wayOf({ text: lit }) ? "" : by.value, in: how, at: viewed(), all: listed && count ? BEGINNING : "", version: version() }),
  restore: async (link) => {
    if (link.version && link.version !== version()) mm.version.ofLink(mm.task.name, link.version, (await api("versions", { task: mm.task.name })).versions);
    wished = link;
    listed = link.all ? PAGE_OF_LIST : 0;
    by.value = wayOf(link);
    const [zoom, x, y] = (link.at || "1,0.5,0.5").split(",").map(Number);
    if ([zoom, x, y].every(Number.isFinite)) atlas.look(zoom, x, y);
    if ((link.text || "") !== lit) lit = words.value = link.text || "";
    if (!lit) { scores = null; note = ""; }
    if (points) { if (lit) await light(lit, wayOf(link)); wished = null; selectBy(link.in); } else mm.poke();
  },
});

/* Wiring */
const tool = (icon, name, f, more = {}) => h("button", { class: "mm-button", type: "button", "aria-label": name, title: name, onclick: f, ...more }, mm.icon(icon));
const lasso = tool("lasso", SAYS.lasso, () => { lassoing = !lassoing; drawTools(); }, { "data-lasso": true });
function drawTools() { lasso.setAttribute("aria-pressed", String(lassoing)); over.classList.toggle("lasso", lassoing); }
$("[data-tools]").append(lasso, tool("plus", SAYS.nearer, () => atlas.zoomTo(1.5)), tool("minus", SAYS.farther, () => atlas.zoomTo(1 / 1.5)));
drawTools();
words.placeholder = SAYS.ask;
words.setAttribute("aria-label", SAYS.askName);
ask.querySelector(".mm-ask-box").prepend(mm.icon("search"));
ask.onsubmit = (e) => { e.preventDefault(); light(words.value); };
words.addEventListener("search", () => { if (!words.value && lit) light(""); });
$("[data-by-name]").textContent = SAYS.by;
by.append(...Object.entries(SAYS.BY).map(([name, said]) => h("option", { value: name }, said)));
by.onchange = () => { if (by.value === "score" && !lit) { words.focus(); by.value = "answers"; } dressed(); remember(); };
over.addEventListener("keydown", key);
for (const kind of ["focus", "blur"]) over.addEventListener(kind, () => { if (kind === "blur") hover(-1); atlas.draw(); });
wirePointers();
function begin() { frame.classList.toggle("waiting", !points); clearTimeout(slow); slow = setTimeout(waits, WAITING_MS); over.setAttribute("aria-label", SAYS.reading(mm.task.modality.plural)); }
function another() { token = ""; points = null; scores = null; chosen = null; count = 0; how = ""; lit = words.value = ""; atlas.show(null); atlas.look(1, 0.5, 0.5); $("[data-told]").replaceChildren(); $("[data-legend]").replaceChildren(); side.replaceChildren(); begin(); mm.poke(); }
$("[data-kinds]").append(mm.task.chooser(another));
addEventListener("mm-version", ({ detail }) => { if (detail.task === mm.task.name) { mm.poke(); if (lit) light(lit); } });
addEventListener("mm-did", ({ detail }) => { if (/^(label|label_result|take_back|undo|promote|activate)$/.test(detail.name)) mm.poke(); });
new ResizeObserver(() => { atlas.resize(); if (frame.offsetParent && !points) mm.poke(); }).observe(frame);
new MutationObserver(() => { if (points) dressed(); }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
begin();
