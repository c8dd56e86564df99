// Where in the picture a text is: what fits keeps its colour and the rest dims, or heat lies over it. All of it is drawn
// over the picture's own pixels, whatever shape its place has.
const FINE = 12;  // cells of the drawn map for one of the map's
const DARK = 0.15, BRIGHT = 0.55;  // shares of the brightest point, between which light falls off

// A map (h x w of 0..255) as an alpha mask, FINE times as large: a cubic B-spline through its cells has no corners.
function fine(map, paint) {
  const rows = map.length, across = map[0].length, width = across * FINE, height = rows * FINE;
  const spline = (t) => [(1 - t) ** 3, 3 * t ** 3 - 6 * t ** 2 + 4, -3 * t ** 3 + 3 * t ** 2 + 3 * t + 1, t ** 3].map((x) => x / 6);
  const taps = (many, cells) => Array.from({ length: many }, (_, x) => {
    const at = (x + 0.5) / FINE - 0.5, from = Math.floor(at);
    return spline(at - from).map((weight, k) => [Math.min(cells - 1, Math.max(0, from - 1 + k)), weight]);
  });
  const columns = taps(width, across), lines = taps(height, rows);
  const wide = map.map((row) => columns.map((four) => four.reduce((sum, [k, weight]) => sum + row[k] * weight, 0)));
  const pixels = new ImageData(width, height);
  lines.forEach((four, y) => {
    for (let x = 0; x < width; x += 1) {
      const v = four.reduce((sum, [k, weight]) => sum + wide[k][x] * weight, 0);
      pixels.data.set(paint(v / 255), 4 * (y * width + x));
    }
  });
  const mask = h("canvas", { width, height });
  mask.getContext("2d").putImageData(pixels, 0, 0);
  return mask;
}
function heatOf(v) {
  const stops = [[48, 18, 119], [30, 120, 220], [40, 200, 160], [250, 220, 60], [235, 70, 30]];
  const at = v * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at)), t = at - i;
  return [...stops[i].map((c, k) => c + (stops[i + 1][k] - c) * t), 255 * v];  // what is not there is not covered
}
// Light on what is more than half of the brightest, and as much of it as the text is likely to fit at all: that is what
// the map's brightest point says.
function lightOf(map) {
  const likely = Math.max(...map.flat()) / 255;
  return (v) => {
    const t = Math.min(1, Math.max(0, (v / likely - DARK) / (BRIGHT - DARK)));
    return [0, 0, 0, 255 * likely * t * t * (3 - 2 * t)];
  };
}

// `plate` is the colour of the ground that a drawing on white stands on: there the rest pales, and no box is seen.
function drawLight(picture, canvas, map, { mode, strength, plate }) {
  // the picture's own pixels: its element may be wider or higher than they are (object-fit: contain)
  const { clientWidth, clientHeight, naturalWidth: across, naturalHeight: down } = picture;
  const scale = Math.min(clientWidth / across, clientHeight / down), width = Math.round(across * scale), height = Math.round(down * scale);
  const dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * dense); canvas.height = Math.round(height * dense);
  Object.assign(canvas.style, {
    width: `${width}px`, height: `${height}px`, opacity: strength,
    left: `${picture.offsetLeft + (clientWidth - width) / 2}px`, top: `${picture.offsetTop + (clientHeight - height) / 2}px`,
  });
  const pen = canvas.getContext("2d"), all = [0, 0, canvas.width, canvas.height];
  pen.imageSmoothingQuality = "high";
  if (mode === "colours") return pen.drawImage(fine(map, heatOf), ...all);
  const cover = (how, paint, alpha) => Object.assign(pen, { globalCompositeOperation: how, fillStyle: paint, globalAlpha: alpha }).fillRect(...all);
  if (plate) cover("source-over", plate, 1);
  Object.assign(pen, { globalCompositeOperation: plate ? "multiply" : "source-over", globalAlpha: 1 }).drawImage(picture, ...all);
  cover("saturation", "#808080", 0.85);
  cover("source-over", plate || "#100f0d", plate ? 0.72 : 0.6);
  pen.globalAlpha = 1;
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(fine(map, lightOf(map)), ...all);
}

// A drawing on white stands on the plate, which takes its ground; a photograph does not.
function standsOnWhite(picture) {
  const side = 24, canvas = h("canvas", { width: side, height: side }), pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0, side, side);
  const { data } = pen.getImageData(0, 0, side, side), rim = [];
  for (let y = 0; y < side; y += 1) for (let x = 0; x < side; x += 1) if (!x || !y || x === side - 1 || y === side - 1) rim.push(Math.min(...data.slice(4 * (y * side + x), 4 * (y * side + x) + 3)));
  return rim.filter((v) => v > 240).length > 0.85 * rim.length;
}
