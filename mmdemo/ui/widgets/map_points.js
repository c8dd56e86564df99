// The points of the map in typed arrays: where they lie, how they were answered, what is selected of them.
const HEX = [...Array(256)].map((_, i) => i.toString(16).padStart(2, "0"));
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const NO_GROUP = 255, UNKNOWN = 255, PARTS = 250, CELLS = 128;

// points: { n, id(i), x, y, group, source, answer, named, sources, kinds, row(id) }; x and y in 0..1, down.
function pointsOf(packed, kinds, answers) {
  const n = packed.count, ids = bytesOf(packed.ids), places = new Float32Array(bytesOf(packed.places).buffer), x = new Float32Array(n), y = new Float32Array(n);
  for (let i = 0; i < n; i += 1) { x[i] = places[2 * i]; y[i] = 1 - places[2 * i + 1]; }
  const id = (i) => { let said = ""; for (let b = 32 * i; b < 32 * i + 32; b += 1) said += HEX[ids[b]]; return said; };
  let rows = null;
  const row = (wanted) => { rows ||= new Map(Array.from({ length: n }, (_, i) => [id(i), i])); return rows.get(wanted) ?? -1; };
  return { n, id, row, x, y, group: bytesOf(packed.groups), source: new Uint16Array(bytesOf(packed.source).buffer), answer: bytesOf(answers), named: packed.named.map((g) => ({ ...g, y: 1 - g.y })), sources: packed.sources, kinds, cells: cellsOf(n, x, y) };
}
// Points by the cell of a grid that they lie in, to find those near a place at once.
function cellsOf(n, x, y) {
  const cell = new Uint16Array(n), first = new Uint32Array(CELLS * CELLS + 1), rows = new Uint32Array(n);
  const of = (v) => Math.max(0, Math.min(CELLS - 1, Math.floor(v * CELLS)));
  for (let i = 0; i < n; i += 1) { cell[i] = of(y[i]) * CELLS + of(x[i]); first[cell[i] + 1] += 1; }
  for (let c = 0; c < CELLS * CELLS; c += 1) first[c + 1] += first[c];
  const next = first.slice();
  for (let i = 0; i < n; i += 1) rows[next[cell[i]]++] = i;
  return { first, rows, of };
}
// The point nearest to a place, within a distance on the map; -1: none.
function nearestPoint({ x, y, cells }, px, py, within) {
  let best = -1, least = within * within;
  for (let cy = cells.of(py - within); cy <= cells.of(py + within); cy += 1) {
    for (let at = cells.first[cy * CELLS + cells.of(px - within)], end = cells.first[cy * CELLS + cells.of(px + within) + 1]; at < end; at += 1) {
      const i = cells.rows[at], far = (x[i] - px) ** 2 + (y[i] - py) ** 2;
      if (far < least) { least = far; best = i; }
    }
  }
  return best;
}
// The nearest point in a direction from one: what lies aside counts three times.
function nextPoint({ n, x, y }, from, dx, dy) {
  let best = -1, least = Infinity;
  for (let i = 0; i < n; i += 1) {
    const along = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy, aside = Math.abs((x[i] - x[from]) * dy) + Math.abs((y[i] - y[from]) * dx);
    if (i !== from && along > 1e-6 && along + 3 * aside < least) { least = along + 3 * aside; best = i; }
  }
  return best;
}
// The points within a polygon of [x, y], as 0 and 1.
function within({ n, x, y }, polygon) {
  const found = new Uint8Array(n), xs = polygon.map((p) => p[0]), ys = polygon.map((p) => p[1]);
  const left = Math.min(...xs), right = Math.max(...xs), top = Math.min(...ys), bottom = Math.max(...ys);
  for (let i = 0; i < n; i += 1) {
    if (x[i] < left || x[i] > right || y[i] < top || y[i] > bottom) continue;
    let inside = false;
    for (let a = 0, b = xs.length - 1; a < xs.length; b = a, a += 1) if ((ys[a] > y[i]) !== (ys[b] > y[i]) && x[i] < ((xs[b] - xs[a]) * (y[i] - ys[a])) / (ys[b] - ys[a]) + xs[a]) inside = !inside;
    if (inside) found[i] = 1;
  }
  return found;
}
// A drawn line with at most so many corners, for a link.
function simpler(line, most) {
  const step = Math.max(1, Math.ceil(line.length / most));
  return line.filter((_, i) => i % step === 0).map(([px, py]) => [Number(px.toFixed(3)), Number(py.toFixed(3))]);
}
