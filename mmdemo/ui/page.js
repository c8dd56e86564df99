/* What all widgets share: building nodes, asking the server, saying what came of it. */
window.mm = (() => {
  // A node; children that are strings become text, so nothing that people typed is ever read as HTML.
  function h(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "class") node.className = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
    return node;
  }

  const SVG = "http://www.w3.org/2000/svg";
  function svg(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  const thumb = (item, side = 320) => `mmdemo/thumb/${item}?s=${side}`;
  const percent = (p) => (tr.locale ? p.toLocaleString(tr.locale, { style: "percent" }) : `${Math.round(p * 100)} %`);
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");

  class Refused extends Error {
    constructor(status, answer, after_s = 0) {
      const told = answer?.error ? answer : { error: tr`The server gave no answer.`, cure: tr`Try again.` };
      super([told.error, told.cure].filter(Boolean).map(tr.told).join(tr.space));
      this.status = status;
      this.told = told === answer;  // else it is of something between the page and the server
      this.after_s = after_s;  // how soon it may be asked again
    }
  }

  class Away extends Error {
    constructor() { super(tr`The server does not answer. What you wrote stays; try again when it is back.`); }
  }
  const reach = (path, options) => fetch(path, options).catch((e) => { throw e instanceof TypeError ? new Away() : e; });
  async function send(path, options) {
    const response = await reach(path, options);
    let answer = null;
    try { answer = await response.json(); } catch { /* a page of something between, or half an answer */ }
    if (!response.ok) throw new Refused(response.status, answer, Number(response.headers.get("retry-after")) || 0);
    if (answer === null) throw new Refused(502, null);
    return answer;
  }

  // Ask the server; where one has to sign in for it (sign_in.js), ask the person and try once more.
  async function call(path, options) {
    try {
      return await send(path, options);
    } catch (e) {
      if (!(e instanceof Refused) || e.status !== 401 || !(await mm.signIn(e.message))) throw e;
      return send(path, options);
    }
  }

  const asJson = (body, more = {}) => ({ ...more, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const api = async (name, body = {}, more = {}) => {
    const answer = tr.answer(await call(`mmdemo/api/${name}`, asJson(body, more)));
    did(name, answer);
    return answer;
  };
  // What an operation has done is told to whoever goes by what people do.
  const did = (name, answer) => { dispatchEvent(new CustomEvent("mm-did", { detail: { name, answer } })); };
  const upload = (file, name, batch = "", task = "") =>
    call(`mmdemo/upload?name=${encodeURIComponent(name)}&batch=${batch}&task=${task}`, { method: "POST", body: file });
  // What is asked until the server answers: it may have been stopped, and begins again. The header says that it is away,
  // and its status, that it is back.
  const TRIES = 5;  // of a question at which a server that is back goes away again
  const isAway = (e) => e instanceof Away || (e instanceof Refused && !e.told && e.status >= 500);
  const back = () => new Promise((done) => { addEventListener("mm-status", done, { once: true }); dispatchEvent(new CustomEvent("mm-poke")); });
  async function patiently(ask) {
    for (let tried = 1; ; tried += 1) {
      try { return await ask(); } catch (e) { if (!isAway(e) || tried === TRIES) throw e; }
      await back();
    }
  }
  // When the browser has drawn what is there and has nothing else to do, at the latest after half a second.
  const drawn = () => new Promise((done) => (window.requestIdleCallback ? requestIdleCallback(done, { timeout: 500 }) : setTimeout(done, 100)));

  // A picture that cannot be shown says why in its place: its item may have been removed in another tab, or by another.
  addEventListener("error", async ({ target }) => {
    if (!(target instanceof HTMLImageElement) || !/mmdemo\/(thumb|media|frame)\//.test(target.src)) return;
    try { await send(target.src); } catch (e) {
      if (e instanceof Refused && e.told) target.replaceWith(h("span", { class: "mm-gone" }, e.message));
      if (e instanceof Away) back().then(() => { target.src = target.src; });
    }
  }, true);
  const live = (samples) => call("mmdemo/live", { method: "POST", body: samples });

  // A question before what cannot be undone, perhaps with fields; answers whether to go on.
  function confirm(question, yes, fields = []) {
    return new Promise((resolve) => {
      const dialog = h("dialog", { class: "mm-dialog" }, h("form", { method: "dialog", onsubmit: () => resolve(true) },
        h("p", {}, question), ...fields, h("div", { class: "mm-row" }, h("button", { class: "mm-button primary" }, yes),
          h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Cancel`))));
      dialog.addEventListener("close", () => { dialog.remove(); resolve(false); });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // Copies what a field holds; answers whether it was done. Over plain http a page has no clipboard: there the browser's
  // older way is asked, by what is marked in the field.
  async function copy(field) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      field.focus();
      field.select();
      return document.execCommand("copy");
    }
  }
  // A link to take along. It stays until the person closes it: there may be no other way to it.
  function showLink(name, link, before, after = []) {
    const field = h("textarea", { readonly: true, rows: 3, "aria-label": name, onfocus: (e) => e.target.select() }, link);
    const said = h("p", { class: "mm-hint", role: "status" });
    const take = async () => { said.textContent = (await copy(field)) ? tr`Copied.` : tr`This browser copies nothing here. The link is marked: copy it by the keyboard or the menu.`; };
    const dialog = h("dialog", { class: "mm-dialog mm-taking", "aria-label": name }, ...before, field, said, ...after,
      h("div", { class: "mm-row" }, h("button", { class: "mm-button primary", type: "button", onclick: take }, tr`Copy`),
        h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`)));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  function toast(message, bad = false, lasts = bad ? 9000 : 4000) {
    let box = document.getElementById("mm-toasts");
    if (!box) document.body.append((box = h("div", { id: "mm-toasts", role: "status", "aria-live": "polite" })));
    const note = h("div", { class: bad ? "mm-toast bad" : "mm-toast" }, message);
    box.append(note);
    setTimeout(() => note.remove(), lasts);
    return note;
  }
  function saveFile(name, text, type = "text/plain") {
    const link = h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  // That a label on an answer is on disk, with its number; the newest takes the place of the one before.
  let lastSaved = null;
  function saved(message, act = null, name = tr`Undo`) {
    lastSaved?.remove();
    const back = act && h("button", { class: "mm-link", type: "button", onclick: () => { lastSaved.remove(); act(); } }, name);
    lastSaved = toast(back ? [message, " · ", back] : message, false, 9000);
  }

  // The modalities (mmdemo/modality.py), and the view by which the address opens each: the Image tab's is what it does.
  const modalities = window.mmModalities.map(tr.named);
  const modalityOf = (name) => modalities.find((m) => m.task === name);
  const viewOf = (name) => (modalityOf(name).tab === "image" ? "align" : modalityOf(name).tab);
  // Who labels, as they call themselves.
  const annotator = (name) => {
    try {
      if (name !== undefined) localStorage.setItem("mmdemo.annotator", name);
      return localStorage.getItem("mmdemo.annotator") || "";
    } catch { return name || ""; }
  };

  // Poll while the node is on the page; a lost connection is said and tried again. A poke asks at once.
  function poll(node, every, ask, show) {
    let seen = false, timer = 0, asking = false, again = false;
    const tick = async () => {
      clearTimeout(timer);
      if (asking) { again = true; return; }
      if (!node.isConnected && seen) return removeEventListener("mm-poke", tick);
      seen ||= node.isConnected;
      let next = every;
      if (!document.hidden && node.offsetParent !== null) {
        asking = true;
        try { next = show(await ask(), null) || every; } catch (e) { next = show(null, e) || 2000; }
        asking = false;
      }
      timer = setTimeout(tick, again ? 0 : next);
      again = false;
    };
    addEventListener("mm-poke", tick);
    tick();
  }
  const poke = () => dispatchEvent(new CustomEvent("mm-poke"));
  // Gradio's own tabs; it draws them once more, unseen, to measure them.
  const gradioTabs = () => [...document.querySelectorAll(".tab-container:not(.visually-hidden) > button[role=tab]")];
  const openTab = (title) => gradioTabs().find((tab) => tab.textContent.trim() === tr.told(title))?.click();

  // Of what somebody asks for one after another the last counts: a turn is taken for each, and says whether nothing was
  // asked for since. What may yet be refused, as an upload, comes to its turn later: it has none where a newer one came.
  const turns = () => {
    let asked = 0, last = 0;
    const turn = (mine = ++asked) => { last = mine; return () => mine === last; };
    turn.first = () => (last ? null : () => !last);  // what is there at first comes before all that is asked for: none where something was
    turn.later = () => { const mine = ++asked; return () => (mine < last ? null : turn(mine)); };
    return turn;
  };
  // What can be said of a pair (mmdemo/label_kinds.py), and the kind that confirms a text as the item's.
  const kinds = window.mmKinds.map((kind) => ({ ...kind, title: tr.told(kind.title), about: tr.told(kind.about) })), confirms = kinds.find((kind) => kind.training === "positive").name;
  const options = (picked) => picked.map((kind) => h("option", { value: kind.name }, tr.told(kind.name)));
  // A tick and a cross for an answer; `send` takes the verdict, and says whether it could be kept.
  function marks(text, send, said = null) {
    const box = h("span", { class: "mm-marks" }, kinds.filter((kind) => kind.sign).map(({ name, tone, sign, about }) => h("button", { class: `mm-mark ${tone}`, type: "button", title: tr`“${text}”: ${about}`, "aria-label": tr`${tr.told(name)}: ${text}`, "aria-pressed": String(said === name), onclick: (e) => {
      e.stopPropagation();
      const before = [...box.children].map((b) => b.getAttribute("aria-pressed"));
      for (const b of box.children) b.setAttribute("aria-pressed", b === e.currentTarget);
      if (!send(name, box).kept) [...box.children].forEach((b, i) => b.setAttribute("aria-pressed", before[i]));
    } }, sign)));
    return box;
  }
  // An edge of a span on a time line is dragged; `done` hears by how much it moved.
  function dragEdge(e, box, span, side, { perSecond, least, duration, draw, done }) {
    e.preventDefault(); e.stopPropagation();
    const from = e.clientX, was = span[side];
    box.setPointerCapture(e.pointerId);
    const move = (m) => {
      const at = was + (m.clientX - from) / perSecond;
      span[side] = side === "start" ? Math.max(0, Math.min(at, span.end - least)) : Math.min(duration, Math.max(at, span.start + least));
      draw();
    };
    const up = () => { box.removeEventListener("pointermove", move); box.removeEventListener("pointerup", up); done(Math.abs(span[side] - was)); };
    box.addEventListener("pointermove", move); box.addEventListener("pointerup", up);
  }
  // Keys of a view: heard wherever nothing that has keys of its own is in focus, while the view is open.
  const OF_OTHERS = "input, textarea, select, button, a, summary, video, audio, dialog, [role=tab], [role=slider], [tabindex='0'], [contenteditable]";
  function keysOf(element, hears) {
    addEventListener("keydown", (e) => {
      const target = e.target instanceof Element ? e.target : document.body;
      if (element.offsetParent === null || e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || target.closest(OF_OTHERS) || document.querySelector("dialog[open], :popover-open")) return;
      hears(e);
    });
  }
  // The names of a table's columns; one without a name is no heading.
  const heads = (...words) => h("thead", {}, h("tr", {}, words.map((word) => (word ? h("th", { scope: "col" }, word) : h("td")))));
  const clock = (s, digits = 1) => `${Math.floor(s / 60)}:${(s % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
  const many = (n, one, more = `${one}s`) => tr.many(n, one, more);
  const seconds = (s) => (s < 60 ? tr`${Math.ceil(s)} s` : s < 3600 ? tr`${Math.ceil(s / 60)} min` : tr`${(s / 3600).toFixed(1)} h`);
  return { h, thumb, drawn, reach, send, patiently, asJson, newKey, percent, api, did, upload, live, toast, saved, saveFile, confirm, showLink, annotator, poll, poke, gradioTabs, openTab, heads, many, seconds, clock, svg, isAway, turns, marks, keysOf, kinds, confirms, options, modalities, modalityOf, viewOf, dragEdge, Refused,
    tabTitles: window.mmTabs };  // by the names that addresses call the tabs by
})();
