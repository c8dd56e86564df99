// What is selected on the map, by lasso, touch or keyboard; and the point under the pointer, or in focus.
const MOST_CORNERS = 28, HOVER_PX = 14, LONG_PRESS_PX = 6, STEP = 0.06, WAITS_MS = 90;
let lassoing = matchMedia("(pointer: fine)").matches;
let chosen = null, count = 0, how = "";  // 0 and 1 of each point; how they were selected, for the link
let near = -1, focused = -1, line = null, box = null;  // the point under the pointer; that of the keyboard; what is being drawn
const picked = () => { const rows = []; for (let i = 0; chosen && i < chosen.length; i += 1) if (chosen[i]) rows.push(i); return rows; };

function select(found, by) {
  chosen = found;
  how = by;
  count = 0;
  for (let i = 0; i < found.length; i += 1) count += found[i];
  if (!count) how = "";
  dressed();
  drawSide();
  remember();
}
const selectNone = () => { box = null; select(new Uint8Array(points?.n || 0), ""); };
function selectRows(rows, by) {
  const found = new Uint8Array(points.n);
  for (const i of rows) if (i >= 0) found[i] = 1;
  select(found, by);
}
const selectGroup = (g) => select(points.group.map((one) => (one === g ? 1 : 0)), `g${g}`);
const selectItems = (ids) => selectRows(ids.map((id) => points.row(id)), `i${ids.map((id) => id.slice(0, 12)).join(".")}`);
const selectWithin = (polygon) => { const corners = simpler(polygon, MOST_CORNERS); select(within(points, corners), `l${corners.flat().join(",")}`); };
// As a link says it.
function selectBy(said) {
  if (!said) return selectNone();
  const rest = said.slice(1);
  if (said[0] === "g") return selectGroup(Number(rest));
  if (said[0] === "l") { const xy = rest.split(",").map(Number), corners = []; for (let i = 0; i + 1 < xy.length; i += 2) corners.push([xy[i], xy[i + 1]]); return corners.every((c) => c.every(Number.isFinite)) ? select(within(points, corners), said) : selectNone(); }
  const wanted = new Set(rest.split(".")), rows = [];
  for (let i = 0; i < points.n && rows.length < wanted.size; i += 1) if (wanted.has(points.id(i).slice(0, 12))) rows.push(i);
  return selectRows(rows, said);
}

/* Pointers: one draws or moves, two move and zoom */
const touching = new Map();
let pressed = null, pinch = 0;
const at = (e) => { const place = over.getBoundingClientRect(); return [e.clientX - place.left, e.clientY - place.top]; };
const found = ([px, py], wide = HOVER_PX) => (points ? nearestPoint(points, ...atlas.toMap(px, py), atlas.reach(wide)) : -1);
function press(e) {
  if (!points || e.button > 1) return;
  touching.set(e.pointerId, at(e));
  over.setPointerCapture(e.pointerId);
  pressed = { at: at(e), drew: false, draws: lassoing && e.button === 0 && !e.shiftKey };
  line = null;
  if (touching.size > 1) { pressed = null; pinch = spread(); }
}
const spread = () => { const [a, b] = [...touching.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
function move(e) {
  if (!points) return;
  const now = at(e), was = touching.get(e.pointerId);
  if (was) touching.set(e.pointerId, now);
  if (touching.size > 1) {
    const far = spread(), [a, b] = [...touching.values()];
    atlas.zoomTo(far / Math.max(1, pinch), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    if (was) atlas.pan((now[0] - was[0]) / 2, (now[1] - was[1]) / 2);
    pinch = far;
    return;
  }
  if (!pressed) return hover(e.pointerType === "touch" ? -1 : found(now));
  pressed.drew ||= Math.hypot(now[0] - pressed.at[0], now[1] - pressed.at[1]) > LONG_PRESS_PX;
  if (!pressed.drew) return;
  hover(-1);
  if (!pressed.draws) return atlas.pan(now[0] - was[0], now[1] - was[1]);
  (line ||= [atlas.toMap(...pressed.at)]).push(atlas.toMap(...now));
  atlas.draw();
}
function release(e) {
  touching.delete(e.pointerId);
  const mine = pressed;
  pressed = null;
  if (!mine || !points) return;
  if (!mine.drew) {
    const i = found(mine.at, e.pointerType === "touch" ? 22 : HOVER_PX);
    if (e.type === "pointerup" && i >= 0) return e.pointerType === "touch" && near !== i ? hover(i) : open(i);
    hover(-1);
    return;
  }
  const drawn = line;
  line = null;
  if (drawn && drawn.length > 2 && e.type === "pointerup") selectWithin(drawn);
  atlas.draw();
}
function wirePointers() {
  over.addEventListener("pointerdown", press);
  over.addEventListener("pointermove", move);
  for (const kind of ["pointerup", "pointercancel"]) over.addEventListener(kind, release);
  over.addEventListener("pointerleave", (e) => { if (e.pointerType !== "touch" && !pressed) hover(-1); });
  over.addEventListener("wheel", (e) => { e.preventDefault(); atlas.zoomTo(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)), ...at(e)); }, { passive: false });
}

/* Keys */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function key(e) {
  if (!points?.n || e.ctrlKey || e.altKey || e.metaKey) return;
  const to = ARROWS[e.key];
  if (to) {
    if (e.shiftKey) stretch(to); else focusOn(focused < 0 ? middle() : nextPoint(points, focused, ...to));
  } else if (e.key === "Enter" && focused >= 0) open(focused);
  else if (e.code === "Space") { const i = focused < 0 ? middle() : focused, rows = picked(); focusOn(i); selectItems((rows.includes(i) ? rows.filter((one) => one !== i) : [...rows, i]).map(points.id)); }
  else if (e.key === "Escape" && (count || focused >= 0)) { focused = -1; hover(-1); selectNone(); }
  else if (e.key === "+" || e.key === "=") atlas.zoomTo(1.4);
  else if (e.key === "-") atlas.zoomTo(1 / 1.4);
  else if (e.key === "Home") atlas.look(1, 0.5, 0.5);
  else return;
  e.preventDefault();
}
const middle = () => Math.max(0, nearestPoint(points, ...atlas.toMap(over.clientWidth / 2, over.clientHeight / 2), 2));
function focusOn(i) {
  if (i < 0) return;
  focused = i;
  box = null;
  atlas.reveal(i);
  hover(i);
  nearby(i);
}
// A rectangle from the point in focus: its other corner moves with the arrows.
function stretch([dx, dy]) {
  if (focused < 0) focusOn(middle());
  box ||= { x: points.x[focused], y: points.y[focused], tx: points.x[focused], ty: points.y[focused] };
  box.tx += (dx * STEP) / atlas.view.zoom;
  box.ty += (dy * STEP) / atlas.view.zoom;
  const { x, y, tx, ty } = box, e = 1e-4, [l, r, t, b] = [Math.min(x, tx) - e, Math.max(x, tx) + e, Math.min(y, ty) - e, Math.max(y, ty) + e];
  selectWithin([[l, t], [r, t], [r, b], [l, b]]);
}

/* What is told of one point, beside it */
const known = new Map();  // by item, what was told of it
let looking = 0;
function hover(i) {
  if (i < 0 && focused >= 0 && document.activeElement === over) i = focused;
  if (i === near) return;
  near = i;
  clearTimeout(looking);
  peek.hidden = true;
  over.classList.toggle("over", i >= 0);
  atlas.draw();
  if (i >= 0) looking = setTimeout(() => tellOf(i).catch(() => {}), WAITS_MS);
}
async function told(rows) {
  const lacking = rows.map(points.id).filter((id) => !known.has(id));
  for (let i = 0; i < lacking.length; i += MOST) for (const one of (await api("map_items", { task: mm.task.name, items: lacking.slice(i, i + MOST), query: lit })).items) known.set(one.item, one);
  return rows.map((i) => known.get(points.id(i))).filter(Boolean);
}
const stateOf = (one, i) => [one.verdict ? mm.kinds.find((kind) => kind.name === one.verdict)?.title.toLowerCase() || one.verdict : SAYS.none, scores && scores[i] !== UNKNOWN && measured ? mm.percent(scores[i] / PARTS) : ""].filter(Boolean).join(tr`, `);
async function tellOf(i) {
  const mine = points, [one] = await told([i]);
  if (!one || near !== i || mine !== points) return;
  const [x, y] = atlas.toScreen(points.x[i], points.y[i]), right = x > over.clientWidth - 190;
  peek.replaceChildren(h("span", { class: "mm-map-plate" }, h("img", { src: thumb(one.item, 192), alt: "" })), h("p", { class: "mm-text" }, one.text || one.name), h("p", { class: "mm-fine" }, stateOf(one, i)));
  peek.hidden = false;
  Object.assign(peek.style, { left: right ? "auto" : `${Math.round(x + 22)}px`, right: right ? `${Math.round(over.clientWidth - x + 22)}px` : "auto", top: `${Math.round(Math.max(8, Math.min(over.clientHeight - peek.offsetHeight - 8, y - 50)))}px` });
  if (focused === i) say.textContent = `${one.text || one.name}, ${stateOf(one, i)}`;
}
const linkTo = (id) => `?view=${mm.viewOf(mm.task.name)}&task=${mm.task.name}&item=${id}`;
const open = (i) => { location.href = linkTo(points.id(i)); };
