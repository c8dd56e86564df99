/* A copy that browsers play is made behind the page: how far it is stands in `box`, in the place of the player, and
   then it is played. Gives whether there is one; `otherwise` is what is to be told where this browser plays none. */
mm.copyOf = async (player, box, item, kind, otherwise) => {
  const { h } = mm, source = player.src, route = `mmdemo/${kind === "video" ? "player" : "sound"}/${item}`, still = () => player.src === source;
  const tell = (...parts) => { box.replaceChildren(...parts); box.hidden = !parts.length; player.hidden = kind === "video" && !box.hidden; };
  for (let pause = 150; still(); pause = Math.min(1000, pause + 150)) {
    let state;
    try { state = await mm.patiently(() => mm.api("playing", { item, kind })); } catch (e) { state = { error: e.message }; }
    if (!still()) return false;
    if (state.ready && player.dataset.copied !== item) {
      player.dataset.copied = item;
      player.src = `${route}?whole`;
      tell();
      return true;
    }
    if (state.ready || state.error) { tell(h("p", { class: "mm-note", role: "status" }, state.error || otherwise)); return false; }
    const share = Math.round(100 * state.share);
    tell(h("div", { class: "mm-bar" }, h("i", { style: `width:${share}%` })), h("span", { role: "status" }, tr`Browsers do not play this as it is. A copy that they play is being made: ${share} %. It plays when it is whole; everything else works meanwhile.`));
    await new Promise((done) => { setTimeout(done, pause); });
  }
  return false;
};
/* A video with one time line under it: shots, the curve of a query, its moments, what is said, the playhead. */
mm.player = (host, { onspan = null } = {}) => {
  const { h, svg } = mm, LEAST_S = 0.2;
  const video = h("video", { controls: true, preload: "metadata", playsinline: true });
  const lane = (kind, name) => h("div", { class: kind, "data-lane": name });
  const curveBox = lane("mm-curve", tr`fit`), momentsRow = h("div", { class: "mm-moments" }), shotsRow = lane("mm-shots", "shots"), saidRow = lane("mm-saidline", "said"), head = h("i", { class: "mm-playhead" });
  const line = h("div", { class: "mm-timeline", tabindex: "0", role: "slider", "aria-label": tr`Time line`, "aria-valuemin": "0", "aria-valuenow": "0" }, curveBox, momentsRow, shotsRow, saidRow, head), look = h("div", { class: "mm-look", hidden: true });
  const clock = h("span", { class: "mm-number" }), copying = h("div", { class: "mm-progress mm-copying", hidden: true });
  const step = (icon, name, key) => h("button", { class: "mm-button mm-bare", type: "button", title: `${name} (${key})`, "aria-label": name, onclick: () => go(key) }, mm.icon(icon));
  host.replaceChildren(video, copying, h("div", { class: "mm-timebox" }, look, line), h("div", { class: "mm-row mm-player-bar" }, clock, step("back", tr`A frame back`, ","), step("on", tr`A frame on`, ".")));
  let item = "", duration = 1, rate = 25, shots = [], cells = [], moments = [], until = null, loop = null, wish = null;
  const text = (s) => mm.clock(s, 2);
  const share = (s) => `${(100 * s) / duration}%`;
  const at = (start, end) => `left:${share(start)};width:${share(Math.max(0, end - start))}`;
  function seek(s, end = null) { video.currentTime = Math.max(0, Math.min(duration, s)); until = end; moved(); }
  function moved() {
    head.style.left = share(video.currentTime);
    line.setAttribute("aria-valuenow", video.currentTime.toFixed(2));
    line.setAttribute("aria-valuemax", duration.toFixed(2));
    clock.replaceChildren(h("b", {}, text(video.currentTime)), tr` of ${text(duration)}`);
    const now = video.currentTime + 1e-3;
    [...shotsRow.children].forEach((cell, i) => cell.classList.toggle("now", shots[i][0] <= now && now < shots[i][1]));
    if (until !== null && video.currentTime >= until - 0.02) {
      if (loop) { video.currentTime = loop.start; return; }
      until = null;
      video.pause();
    }
    if (!video.paused) requestAnimationFrame(moved);
  }
  video.onplay = () => requestAnimationFrame(moved);
  video.onseeked = moved;
  video.onpause = moved;
  video.onplaying = () => { wish = null; };
  // What browsers do not play as it is has a copy made.
  const OTHERWISE = tr`This browser cannot play the video; its shots below are stills, and everything else works.`;
  video.onerror = async () => { if (item && (await mm.copyOf(video, copying, item, "video", OTHERWISE))) wish?.(); };
  function begin(rate, again, start, end) {
    wish = () => { loop = again; video.playbackRate = rate; seek(start, end); video.play().catch(() => {}); };
    wish();
  }
  line.onclick = (e) => { if (e.target.dataset.edge) return; const box = line.getBoundingClientRect(); loop = null; seek(((e.clientX - box.left) / box.width) * duration); };
  // Keys: frames, shots, seconds and Space.
  function go(key) {
    const now = video.currentTime, steps = { ",": now - 1 / rate, ".": now + 1 / rate, "[": [...shots].reverse().find((s) => s[0] < now - 0.05)?.[0] ?? 0, "]": shots.find((s) => s[0] > now + 0.02)?.[0] ?? duration, ArrowLeft: now - 1, ArrowRight: now + 1, " ": null };
    if (!(key in steps) || !item) return false;
    if (key === " ") { if (video.paused) video.play().catch(() => {}); else video.pause(); return true; }
    video.pause();
    seek(steps[key]);
    return true;
  }
  const keys = (e) => { if (go(e.key)) e.preventDefault(); };
  line.onkeydown = (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !go(e.key)) return;
    e.preventDefault();
    e.stopPropagation();
  };
  // A look at what is shown where one points, out of the strip
  line.onpointermove = (e) => {
    const box = line.getBoundingClientRect(), s = ((e.clientX - box.left) / box.width) * duration;
    look.hidden = !cells.length || e.pointerType === "touch" || s < 0 || s > duration;
    if (look.hidden) return;
    const i = cells.findLastIndex((t) => t <= s + 1e-3), x = Math.max(48, Math.min(box.width - 48, e.clientX - box.left));
    look.style.cssText = `left:${x}px;background-image:url("mmdemo/strip/${item}");background-position:-${96 * Math.max(0, i)}px 0`;
    look.textContent = text(s);
  };
  line.onpointerleave = () => { look.hidden = true; };
  function drawMoments() {
    momentsRow.replaceChildren(...moments.map((m, i) => {
      const box = h("span", { class: `mm-moment ${m.found_by || ""}`, style: at(m.start, m.end), title: tr`${text(m.start)} to ${text(m.end)}`, "data-moment": i });
      if (onspan) for (const side of ["start", "end"]) box.append(h("i", { class: `mm-edge ${side}`, "data-edge": side, onpointerdown: (e) => grab(e, box, m, i, side) }));
      return box;
    }));
  }
  function grab(e, box, m, i, side) {
    mm.dragEdge(e, box, m, side, { perSecond: line.getBoundingClientRect().width / duration, least: LEAST_S, duration,
      draw: () => { box.style.cssText = at(m.start, m.end); },
      done: (moved) => { if (moved) { seek(side === "start" ? m.start : Math.max(m.start, m.end - 0.5), m.end); onspan(m, i); } } });
  }
  return {
    video, text,
    get item() { return item; },
    load(id, seconds, hz = 25) {
      if (item === id) return;
      item = id; duration = Math.max(0.01, seconds || 1); rate = hz; shots = []; cells = []; moments = []; until = null; loop = null;
      delete video.dataset.copied;
      wish = null; copying.hidden = true; video.hidden = false;
      video.src = `mmdemo/player/${id}`;
      video.poster = `mmdemo/thumb/${id}`;
      for (const row of [shotsRow, curveBox, momentsRow, saidRow]) row.replaceChildren();
      moved();
    },
    rate(hz) { rate = hz; },
    strip(times) { cells = times || []; },
    shots(list) {
      shots = list;
      shotsRow.replaceChildren(...list.map(([a, b]) => h("span", { style: `${at(a, b)};background-image:url("mmdemo/frame/${item}?t=${((a + b) / 2).toFixed(2)}")`, title: tr`shot ${text(a)} to ${text(b)}` })));
    },
    curve(points) {
      if (!points?.length) return curveBox.replaceChildren();
      const ys = points.map((p) => p[1]), low = Math.min(...ys), high = Math.max(...ys, low + 0.05);
      const chart = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": tr`How well each moment fits` });
      const path = points.map(([t, y]) => `${((1000 * t) / duration).toFixed(1)},${(96 - (92 * (y - low)) / (high - low)).toFixed(1)}`);
      chart.append(svg("polygon", { points: `0,100 ${path.join(" ")} 1000,100`, class: "area" }), svg("polyline", { points: path.join(" "), class: "line" }));
      curveBox.replaceChildren(chart);
    },
    moments(list) { moments = list.map((m) => ({ ...m })); drawMoments(); },
    said(segments) { saidRow.replaceChildren(...segments.map((s) => h("span", { style: at(s.start, s.end), title: s.text }, s.text))); },
    subtitles(url) {
      video.querySelector("track")?.remove();
      if (url) { video.append(h("track", { kind: "subtitles", label: tr`Descriptions`, srclang: "en", src: url, default: true })); video.textTracks[0].mode = "showing"; }
    },
    seek, keys,
    playSpan(start, end, again = false) { begin(1, again ? { start, end } : null, start, end); },
    replay(speed, span) { begin(speed, span, span ? span.start : 0, span ? span.end : null); },
    stop() { loop = wish = null; video.pause(); },
  };
};
