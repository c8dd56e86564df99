// Draws points: each is stamped into one picture, pixel by pixel, which takes a hundred thousand of them in a frame.
// What lies above them, names, the lasso, the point in focus, is drawn on a canvas of its own.
const MARGIN = 44, MOST_ZOOM = 60, MOST_STRETCH = 1.6, MOST_DENSE = 2, MOVES_MS = 700;
const SHAPES = {
  disc: (c, m, r) => { c.arc(m, m, r, 0, 7); c.fill(); },
  dot: (c, m, r) => { c.arc(m, m, 0.82 * r, 0, 7); c.fill(); },
  ring: (c, m, r) => { c.lineWidth = Math.max(1, 0.4 * r); c.arc(m, m, 0.85 * r, 0, 7); c.stroke(); },
  cross: (c, m, r) => { c.lineWidth = Math.max(1.2, 0.5 * r); c.lineCap = "round"; c.moveTo(m - 0.85 * r, m - 0.85 * r); c.lineTo(m + 0.85 * r, m + 0.85 * r); c.moveTo(m + 0.85 * r, m - 0.85 * r); c.lineTo(m - 0.85 * r, m + 0.85 * r); c.stroke(); },
  square: (c, m, r) => { c.rect(m - 0.85 * r, m - 0.85 * r, 1.7 * r, 1.7 * r); c.fill(); },
  diamond: (c, m, r) => { c.moveTo(m, m - 1.15 * r); c.lineTo(m + 1.15 * r, m); c.lineTo(m, m + 1.15 * r); c.lineTo(m - 1.15 * r, m); c.fill(); },
  triangle: (c, m, r) => { c.moveTo(m, m - 1.1 * r); c.lineTo(m + r, m + 0.8 * r); c.lineTo(m - r, m + 0.8 * r); c.fill(); },
};

// The pixels of a shape: how far each is from the middle, and how much of it is covered. Hard ones are covered or not: to
// mix colours takes half the time of a frame where there are very many.
const HARD_FROM = 20000, HALF = 110;
function coverage(shape, r, across, hard) {
  const half = Math.ceil(1.3 * r) + 1, side = 2 * half + 1, canvas = new OffscreenCanvas(side, side), c = canvas.getContext("2d");
  c.beginPath();
  SHAPES[shape](c, half + 0.5, r);
  const data = c.getImageData(0, 0, side, side).data, at = [], alpha = [];
  for (let i = 0; i < side * side; i += 1) if (data[4 * i + 3] > (hard ? HALF : 8)) { at.push((Math.floor(i / side) - half) * across + ((i % side) - half)); alpha.push(hard ? 255 : data[4 * i + 3]); }
  return { at: Int32Array.from(at), alpha: Uint8Array.from(alpha), half };
}
function colourOf(text) {
  const c = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  c.fillStyle = text;
  c.fillRect(0, 0, 1, 1);
  const [r, g, b] = c.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}
const word = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;  // of a picture's bytes, as all browsers' machines have them

// styles: of each look { shape, colour, size }; look(i): which a point has. drawOver(context, at): what lies above.
function mapCanvas(host, below, over, { drawOver, moved }) {
  const view = { zoom: 1, x: 0.5, y: 0.5 };
  let points = null, looks = null, order = null, styles = [], sprites = [], sized = "", drawn = new Map(), wide = 0, high = 0, dense = 1, fit = { x: 1, y: 1, cx: 0.5, cy: 0.5 };
  let from = null, began = 0, asked = false, image = null, buffer = null, pad = 0;
  const flat = below.getContext("2d", { alpha: false }), top = over.getContext("2d");
  const colours = new Map();  // of the theme that is on: asking the browser takes longer than drawing
  const css = (name) => { if (!colours.has(name)) colours.set(name, name === "font" ? getComputedStyle(host).fontFamily : getComputedStyle(host).getPropertyValue(name).trim()); return colours.get(name); };
  let ground = 0;
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  function resize() {
    const w = host.clientWidth, h = host.clientHeight, d = Math.min(MOST_DENSE, devicePixelRatio || 1);
    if (!w || !h || (w === wide && h === high && d === dense)) return;
    [wide, high, dense] = [w, h, d];
    for (const canvas of [below, over]) { canvas.width = w * d; canvas.height = h * d; }
    flat.fillStyle = css("--surface");  // else it is black until the first points are there
    flat.fillRect(0, 0, below.width, below.height);
    image = null;
    sized = "";
    refit();
    draw();
  }
  // The whole map fills the frame; one side may be stretched a little.
  function refit() {
    if (!points || !wide) return;
    let left = 1, right = 0, up = 1, down = 0;
    for (let i = 0; i < points.n; i += 1) { left = Math.min(left, points.x[i]); right = Math.max(right, points.x[i]); up = Math.min(up, points.y[i]); down = Math.max(down, points.y[i]); }
    const margin = Math.min(MARGIN, wide / 8);
    let x = (wide - 2 * margin) / Math.max(0.05, right - left), y = (high - 3 * margin) / Math.max(0.05, down - up);
    x = Math.min(x, MOST_STRETCH * y);
    y = Math.min(y, MOST_STRETCH * x);
    fit = { x, y, cx: (left + right) / 2, cy: (up + down) / 2 };
  }
  const scale = () => ({ sx: fit.x * view.zoom, sy: fit.y * view.zoom, ox: fit.cx + (view.x - 0.5), oy: fit.cy + (view.y - 0.5) });
  const toScreen = (x, y) => { const s = scale(); return [(x - s.ox) * s.sx + wide / 2, (y - s.oy) * s.sy + high / 2 - 4]; };
  const toMap = (px, py) => { const s = scale(); return [(px - wide / 2) / s.sx + s.ox, (py - high / 2 + 4) / s.sy + s.oy]; };
  const radius = () => {  // in steps, each of which is stamped from shapes that are drawn once
    const n = points.n, base = n <= 500 ? 5 : n <= 3000 ? 3.8 : n <= 20000 ? 2.4 : 1.4;
    return Math.round(4 * Math.min(8, base * Math.min(3, view.zoom ** 0.5))) / 4;
  };
  function stamps() {
    const r = radius() * dense, key = `${r} ${below.width} ${below.height}`;
    if (key === sized) return;
    sized = key;
    pad = Math.ceil(1.3 * 1.15 * Math.max(0.9, 8 * dense)) + 3;
    const across = below.width + 2 * pad;
    if (!image || image.width !== across || image.height !== below.height + 2 * pad) {
      image = flat.createImageData(across, below.height + 2 * pad);
      buffer = new Uint32Array(image.data.buffer);
      drawn.clear();
    }
    if (!drawn.has(key)) drawn.set(key, styles.map(({ shape, colour, size = 1 }) => { const rgb = colourOf(colour); return { ...coverage(shape, Math.max(0.9, r * size), across, points.n > HARD_FROM), rgb, whole: word(rgb), hard: points.n > HARD_FROM }; }));
    sprites = drawn.get(key);
    ground ||= word(colourOf(css("--surface")));
  }
  function stamp(base, { at, alpha, rgb, whole, hard }) {
    if (hard) { for (let k = 0; k < at.length; k += 1) buffer[base + at[k]] = whole; return; }
    for (let k = 0; k < at.length; k += 1) {
      const to = base + at[k], a = alpha[k];
      if (a > 250) { buffer[to] = whole; continue; }
      const was = buffer[to], left = 255 - a, red = (rgb[0] * a + (was & 255) * left) / 255, green = (rgb[1] * a + ((was >> 8) & 255) * left) / 255, blue = (rgb[2] * a + ((was >> 16) & 255) * left) / 255;
      buffer[to] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
  }
  function paint(now) {
    asked = false;
    if (!wide || !points) return;
    const share = from ? Math.min(1, (now - began) / MOVES_MS) : 1, t = share * share * (3 - 2 * share);
    stamps();
    buffer.fill(ground);
    const s = scale(), across = image.width, w = below.width, h = below.height, { x, y } = points;
    const kx = s.sx * dense, ky = s.sy * dense, bx = (wide / 2 - s.ox * s.sx) * dense, by = (high / 2 - 4 - s.oy * s.sy) * dense;
    for (let k = 0; k < order.length; k += 1) {
      const i = order[k], mx = t < 1 ? from.x[i] + (x[i] - from.x[i]) * t : x[i], my = t < 1 ? from.y[i] + (y[i] - from.y[i]) * t : y[i];
      const px = Math.round(mx * kx + bx), py = Math.round(my * ky + by);
      if (px < -2 || py < -2 || px > w + 1 || py > h + 1) continue;
      stamp((py + pad) * across + px + pad, sprites[looks[i]]);
    }
    flat.putImageData(image, -pad, -pad);
    top.setTransform(dense, 0, 0, dense, 0, 0);
    top.clearRect(0, 0, wide, high);
    drawOver(top, { toScreen, css, radius: radius(), wide, high, moving: t < 1 });
    if (share < 1) draw(); else from = null;
  }
  function draw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(paint);
  }
  // Other points: those that were there go to their new places.
  function show(next) {
    const before = points;
    points = next;
    from = null;
    if (before && next && !calm()) {
      from = { x: next.x.slice(), y: next.y.slice() };
      const same = before.n === next.n && before.id(0) === next.id(0) && before.id(before.n - 1) === next.id(next.n - 1);
      for (let i = 0; i < next.n; i += 1) { const was = same ? i : before.row(next.id(i)); if (was >= 0) { from.x[i] = before.x[was]; from.y[i] = before.y[was]; } }
      began = performance.now();
    }
    refit();
    draw();
  }
  // Colours may be others by now, as of the other theme.
  function restyled() { drawn.clear(); colours.clear(); sized = ""; ground = 0; }
  // How each point looks; those with a higher style lie above.
  function dress(now, of) {
    styles = now;
    restyled();
    looks = of;
    const first = new Uint32Array(now.length + 1);
    for (let i = 0; i < looks.length; i += 1) first[looks[i] + 1] += 1;
    for (let k = 0; k < now.length; k += 1) first[k + 1] += first[k];
    order = new Uint32Array(looks.length);
    for (let i = 0; i < looks.length; i += 1) order[first[looks[i]]++] = i;
    draw();
  }
  function zoomTo(factor, px = wide / 2, py = high / 2) {
    const [mx, my] = toMap(px, py);
    view.zoom = Math.max(1, Math.min(MOST_ZOOM, view.zoom * factor));
    const [nx, ny] = toMap(px, py);
    go(view.x + mx - nx, view.y + my - ny);
  }
  const pan = (dx, dy) => { const s = scale(); go(view.x - dx / s.sx, view.y - dy / s.sy); };
  function go(x, y) {
    const room = 0.5 - 0.5 / view.zoom + 0.15;
    view.x = Math.max(0.5 - room, Math.min(0.5 + room, x));
    view.y = Math.max(0.5 - room, Math.min(0.5 + room, y));
    draw();
    moved();
  }
  // So that a point is in sight.
  function reveal(i) {
    const [px, py] = toScreen(points.x[i], points.y[i]);
    if (px < 24 || py < 24 || px > wide - 24 || py > high - 24) pan(wide / 2 - px, high / 2 - py);
  }
  function look(zoom, x, y) { view.zoom = Math.max(1, Math.min(MOST_ZOOM, zoom)); go(x, y); }
  return { view, show, dress, draw, resize, zoomTo, pan, look, reveal, toMap, toScreen, calm, reach: (px) => px / Math.min(scale().sx, scale().sy) };
}
