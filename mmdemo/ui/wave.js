/* A recording on a time line: its waveform from peaks computed on the server, words that play when clicked and whose
   borders can be dragged. The browser streams the sound and never holds the whole of it. */
mm.medium = (item, alt, span = null) => mm.task.modality.player === "wave"
  ? mm.h("button", { class: "mm-play", type: "button", title: tr`Play: ${alt}`, "aria-label": tr`Play: ${alt}`, onclick: (e) => { e.preventDefault(); e.stopPropagation(); mm.playOnce(item); } }, "▶")
  : mm.h("img", { src: span && span.start !== null && span.start !== undefined ? `mmdemo/frame/${item}?t=${((span.start + span.end) / 2).toFixed(2)}` : mm.thumb(item), alt, loading: "lazy" });
mm.playOnce = (() => {
  let audio = null;
  return (item, start = 0) => {
    audio?.pause();
    audio = new Audio(`mmdemo/sound/${item}`);
    const one = audio, go = () => { one.currentTime = start || 0; one.play().catch(() => {}); }, box = mm.h("span");
    one.onerror = async () => {
      if (await mm.copyOf(one, box, item, "sound", tr`This browser cannot play the recording.`)) { if (one === audio) go(); } else if (one === audio && box.textContent) mm.toast(box.textContent, true);
    };
    go();
  };
})();

mm.wave = (host, { onspan = null, onword = null, hint = null } = {}) => {
  const { h } = mm;
  const PEAKS_HZ = 50, HEIGHT = 132, BAR = 5, SILENT = 0.05, LEAST = 0.02;  // pixels of a bar with its gap; of the loudest
  const canvas = h("canvas", { "aria-hidden": "true" }), line = h("div", { class: "mm-words" }), head = h("i", { class: "mm-playhead" });
  const scroll = h("div", { class: "mm-wave-scroll", tabindex: "0", role: "group", "aria-label": tr`Waveform` }, h("div", { class: "mm-wave-inner" }, canvas, line, head));
  const inner = scroll.firstChild, audio = h("audio", { preload: "metadata" });
  const clock = h("span", { class: "mm-number" }, "0:00.0"), play = h("button", { class: "mm-button primary mm-round", type: "button" });
  const speed = h("select", { "aria-label": tr`Speed` }, [0.5, 0.75, 1, 1.5, 2].map((r) => h("option", { value: r, selected: r === 1 }, `${r}×`)));
  const playing = (on) => { play.setAttribute("aria-label", on ? tr`Pause` : tr`Play`); play.replaceChildren(mm.icon(on ? "pause" : "play")); };
  playing(false);
  const zooms = [["minus", 0.5], ["plus", 2]].map(([sign, by]) => h("button", { class: "mm-button mm-bare", type: "button", "aria-label": by > 1 ? tr`Zoom in` : tr`Zoom out`, onclick: () => zoom(by) }, mm.icon(sign)));
  const bar = h("div", { class: "mm-row mm-wave-bar" }, play, clock, speed, hint, h("span", { class: "mm-zoom" }, zooms), audio);
  const copying = h("div", { class: "mm-progress mm-copying", hidden: true });
  host.replaceChildren(scroll, bar, copying);
  let item = "", duration = 0, peaks = null, loudest = 1, words = [], scale = 0, until = null, frame = 0, drag = null, wish = null;

  const LEGIBLE = 240;  // pixels a second, at which most words can be read: on a phone the line is scrolled
  const fit = () => Math.max(scroll.clientWidth < 600 ? LEGIBLE : 40, (scroll.clientWidth - 2) / Math.max(0.1, duration));
  function zoom(by, at = audio.currentTime) {
    const least = Math.min(fit(), (scroll.clientWidth - 2) / Math.max(0.1, duration));
    scale = Math.min(800, Math.max(least, scale * by));
    layout();
    scroll.scrollLeft = at * scale - scroll.clientWidth / 2;
  }
  // Only what is in sight is drawn: half an hour at 100 pixels a second is wider than any canvas.
  function paint() {
    const width = scroll.clientWidth, ratio = devicePixelRatio || 1;
    canvas.width = width * ratio; canvas.height = HEIGHT * ratio;
    canvas.style.width = `${width}px`; canvas.style.height = `${HEIGHT}px`; canvas.style.left = `${scroll.scrollLeft}px`;
    const pen = canvas.getContext("2d"), style = getComputedStyle(host);
    pen.scale(ratio, ratio);
    const colours = ["--accent", "--bar-no"].map((name) => style.getPropertyValue(name));
    pen.fillStyle = style.getPropertyValue("--ink2");
    if (!peaks) { pen.font = `13px ${style.fontFamily}`; return item && pen.fillText(tr`Drawing the waveform…`, 12, HEIGHT / 2); }
    const now = audio.currentTime * scale;
    for (let x = -(scroll.scrollLeft % BAR); x < width; x += BAR) {
      const at = scroll.scrollLeft + x, a = Math.floor((at / scale) * PEAKS_HZ), b = Math.max(a + 1, Math.floor(((at + BAR) / scale) * PEAKS_HZ));
      let high = 0;
      for (let i = Math.max(0, a); i < b && 2 * i + 1 < peaks.length; i++) high = Math.max(high, -peaks[2 * i], peaks[2 * i + 1]);
      if (at > duration * scale) break;
      const tall = Math.max(2, (high / loudest) * (HEIGHT - 8)), silent = high < SILENT * loudest;
      pen.fillStyle = colours[silent ? 1 : 0];
      pen.globalAlpha = at > now ? 0.45 : 1;  // what is still to be heard
      pen.beginPath();
      pen.roundRect(x, (HEIGHT - tall) / 2, BAR - 2, tall, 1.5);
      pen.fill();
    }
  }
  const colour = (w) => (w.corrected ? "sure corrected" : w.said === false ? "missing" : w.probability >= 0.8 ? "sure" : w.probability >= 0.5 ? "fair" : "doubtful");
  function layout() {
    inner.classList.toggle("bare", !words.length);
    inner.style.width = `${Math.max(scroll.clientWidth - 2, duration * scale)}px`;
    const from = scroll.scrollLeft / scale - 2, to = (scroll.scrollLeft + scroll.clientWidth) / scale + 2;
    line.replaceChildren(...words.flatMap((w, i) => w.end < from || w.start > to ? [] : [node(w, i)]));
    moveHead();
  }
  function press(w, i) {
    if (drag !== "done") { playSpan(w.start, w.end); onword?.(w, i); }
    drag = null;
  }
  // Words that were drawn anew between press and release, as when an answer came, leave the click to their line.
  line.onclick = (e) => {
    if (e.target !== line) return;
    const at = (e.clientX - line.getBoundingClientRect().left) / scale, i = words.findIndex((w) => w.start <= at && at <= w.end);
    if (i >= 0) press(words[i], i);
  };
  function node(w, i) {
    const box = h("button", { class: `mm-word ${colour(w)}`, type: "button", "data-word": i, title: `${w.word}  ${w.start.toFixed(2)}–${w.end.toFixed(2)} s, ${mm.percent(w.probability ?? 1)}`,
      style: `left:${w.start * scale}px;width:${Math.max(6, (w.end - w.start) * scale)}px`,
      onclick: () => press(w, i) }, w.word);
    if (onspan) for (const side of ["start", "end"]) box.append(h("i", { class: `mm-edge ${side}`, "data-edge": side, onpointerdown: (e) => grab(e, box, i, side) }));
    return box;
  }
  // The ends of a word by the keyboard: Shift with an arrow moves its end, Shift and Alt its start; it is said when Shift goes up.
  const STEP_S = 0.02;
  line.addEventListener("keydown", (e) => {
    const w = words[e.target.dataset?.word], way = { ArrowLeft: -STEP_S, ArrowRight: STEP_S }[e.key];
    if (!w || !onspan || !e.shiftKey || !way) return;
    e.preventDefault();
    if (e.altKey) w.start = Math.max(0, Math.min(w.start + way, w.end - LEAST)); else w.end = Math.min(duration, Math.max(w.end + way, w.start + LEAST));
    e.target.style.left = `${w.start * scale}px`; e.target.style.width = `${Math.max(6, (w.end - w.start) * scale)}px`;
    w.moved = true;
  });
  line.addEventListener("keyup", (e) => {
    const w = words[e.target.dataset?.word];
    if (e.key === "Shift" && w?.moved) { delete w.moved; onspan(w, Number(e.target.dataset.word)); }
  });
  function grab(e, box, i, side) {
    const w = words[i];
    mm.dragEdge(e, box, w, side, { perSecond: scale, least: LEAST, duration,
      draw: () => { box.style.left = `${w.start * scale}px`; box.style.width = `${Math.max(6, (w.end - w.start) * scale)}px`; },
      done: (moved) => { drag = "done"; setTimeout(() => { drag = null; }, 50); if (moved > 0.005) onspan(w, i); } });
  }
  function moveHead() {
    head.hidden = !item;
    head.style.left = `${audio.currentTime * scale}px`;
    paint();
    clock.textContent = tr`${mm.clock(audio.currentTime)} of ${mm.clock(duration)}`;
    for (const box of line.children) { const w = words[box.dataset.word]; box.classList.toggle("now", !audio.paused && w.start <= audio.currentTime && audio.currentTime < w.end); }
  }
  function tick() {
    moveHead();
    if (until !== null && audio.currentTime >= until) { audio.pause(); until = null; }
    const x = audio.currentTime * scale;
    if (!audio.paused && (x < scroll.scrollLeft || x > scroll.scrollLeft + scroll.clientWidth - 40)) scroll.scrollLeft = x - 60;
    frame = audio.paused ? 0 : requestAnimationFrame(tick);
  }
  function playSpan(start, end = null) {
    wish = () => { audio.currentTime = start; until = end === null ? null : Math.max(end, start + 0.15); audio.play().catch(() => {}); };
    wish();
  }
  audio.onplaying = () => { wish = null; };
  audio.onplay = () => { playing(true); if (!frame) tick(); };
  audio.onpause = () => { playing(false); moveHead(); };
  audio.onseeked = moveHead;
  // What browsers do not play as it is has a copy made.
  audio.onerror = async () => {
    if (!item) return;
    play.disabled = true;
    if (await mm.copyOf(audio, copying, item, "sound", tr`This browser cannot play the recording.`)) wish?.();
    play.disabled = false;
  };
  play.onclick = toggle;
  function toggle() { until = null; if (audio.paused) { if (audio.ended) audio.currentTime = 0; audio.play().catch(() => {}); } else audio.pause(); }
  speed.onchange = () => { audio.playbackRate = Number(speed.value); };
  canvas.onclick = (e) => { until = null; audio.currentTime = (scroll.scrollLeft + e.offsetX) / scale; };
  // Space plays; the arrows step from word to word, or a second where there are none.
  function keys(e) {
    const now = audio.currentTime, stops = words.map((w) => w.start);
    const steps = { ArrowLeft: stops.filter((s) => s < now - 0.05).pop() ?? Math.max(0, now - 1), ArrowRight: stops.find((s) => s > now + 0.01) ?? Math.min(duration, now + 1), Home: 0, End: duration, " ": null };
    if (!(e.key in steps) || !item) return;
    e.preventDefault();
    if (e.key === " ") return toggle();
    until = null;
    audio.currentTime = steps[e.key];
  }
  scroll.addEventListener("keydown", (e) => { if (e.target === scroll && !e.ctrlKey && !e.metaKey && !e.altKey) { e.stopPropagation(); keys(e); } });
  scroll.onscroll = () => layout();
  scroll.addEventListener("wheel", (e) => { if (e.ctrlKey) { e.preventDefault(); zoom(e.deltaY < 0 ? 1.25 : 0.8); } }, { passive: false });
  new ResizeObserver(() => { if (duration) { scale = Math.max(scale, Math.min(fit(), scale || fit())); layout(); } }).observe(scroll);

  return {
    get item() { return item; },
    get audio() { return audio; },
    async load(id, seconds, autoplay = false, span = null) {
      if (item !== id) {
        item = id; duration = seconds; words = []; peaks = null;
        delete audio.dataset.copied;
        wish = null; copying.hidden = true;
        audio.src = `mmdemo/sound/${id}`;
        scale = duration > 60 ? 60 : fit();
        scroll.scrollLeft = 0;
        layout();
        const got = await mm.patiently(() => mm.reach(`mmdemo/peaks/${id}`)).catch(() => null);  // the words still stand
        if (got?.ok && item === id) { peaks = new Int8Array(await got.arrayBuffer()); loudest = peaks.reduce((most, p) => Math.max(most, Math.abs(p)), 16); paint(); }
      }
      if (span) scroll.scrollLeft = span.start * scale - scroll.clientWidth / 3;
      if (autoplay && item === id) { playSpan(span ? span.start : 0, span ? span.end : null); }
    },
    words(list) { words = list.map((w) => ({ ...w })); layout(); },
    replay(rate = 1, span = null) {
      audio.playbackRate = rate; speed.value = rate;
      playSpan(span ? span.start : 0, span ? span.end : null);
    },
    playSpan, keys,
    stop() { wish = null; audio.pause(); },
  };
};

/* The microphone: 16 kHz mono samples as they come, and a WAV file of all of them. */
mm.record = async (onchunk) => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
  const context = new AudioContext({ sampleRate: 16000 });
  const code = "registerProcessor('mm-tap', class extends AudioWorkletProcessor { process(i) { if (i[0][0]) this.port.postMessage(i[0][0].slice()); return true; } });";
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  URL.revokeObjectURL(url);
  const tap = new AudioWorkletNode(context, "mm-tap"), source = context.createMediaStreamSource(stream);
  const parts = [];
  tap.port.onmessage = (e) => { const part = Int16Array.from(e.data, (v) => Math.max(-1, Math.min(1, v)) * 32767); parts.push(part); onchunk(part); };
  source.connect(tap);
  return async () => {
    stream.getTracks().forEach((t) => t.stop());
    await context.close();
    const size = parts.reduce((n, p) => n + p.length, 0), out = new DataView(new ArrayBuffer(44 + 2 * size));
    const write = (at, s) => [...s].forEach((c, i) => out.setUint8(at + i, c.charCodeAt(0)));
    write(0, "RIFF"); out.setUint32(4, 36 + 2 * size, true); write(8, "WAVEfmt "); out.setUint32(16, 16, true); out.setUint16(20, 1, true); out.setUint16(22, 1, true);
    out.setUint32(24, 16000, true); out.setUint32(28, 32000, true); out.setUint16(32, 2, true); out.setUint16(34, 16, true); write(36, "data"); out.setUint32(40, 2 * size, true);
    let at = 44;
    for (const part of parts) for (const v of part) { out.setInt16(at, v, true); at += 2; }
    return new Blob([out.buffer], { type: "audio/wav" });
  };
};
