/* The outbox: labels and undos on their way, one entry each, until the server has said that they are on disk.
   Any tab sends what any tab has made, the oldest first. An entry's key, made here, makes two arrivals one label,
   so that nothing is lost where two tabs send the same one, or an answer does not arrive. An entry is sent as who
   made it and as nobody else: whoever signs in at this browser later has the others put aside. */
mm.outbox = (() => {
  const { send, asJson, Refused, newKey, annotator } = mm;
  const WAITS = "mmdemo.outbox.", ASIDE = "mmdemo.aside.", ANSWER = "mmdemo.answer";  // names begin so
  const PERSON = "mmdemo.person";  // who was signed in last; what is made when a session is over is theirs
  const SINCE = "mmdemo.person-since";  // when somebody signed in or out here, in any tab
  const FIRST_MS = 300, LONGEST_MS = 30000;  // of a pause, which grows
  const HURRY_MS = 2000;  // between tries that do not wait for the end of a pause
  const OTHERS_MS = 2000;  // so long a tab leaves what another has made to that one
  const TIMEOUT_MS = 30000;
  const FAULTS = 5;  // of one entry, while others are stored: then it is put aside
  const BUSY = [429, 503, 507], BETWEEN = [408, 425, 502, 504];  // what a server says, and what stands before it
  const NEVER = [400, 422];  // of this label; other refusals are of the way here, and can pass

  // Local storage and no IndexedDB: it answers at once, so that a label that cannot be kept is never shown as made,
  // and what it has taken outlives a tab that is closed at the next key. Where it is forbidden, memory serves.
  const disk = (() => {
    try { if (localStorage.length >= 0) return localStorage; } catch { /* forbidden */ }
    const kept = new Map();
    return {
      get length() { return kept.size; },
      key: (i) => [...kept.keys()][i] ?? null,
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
  })();
  const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };
  function read(prefix) {
    const found = [];
    for (let i = 0; i < disk.length; i += 1) {
      const name = disk.key(i), entry = name?.startsWith(prefix) && parse(disk.getItem(name));
      if (entry?.body?.key) found.push(entry);
    }
    return found.sort((a, b) => a.at - b.at);
  }
  const person = () => disk.getItem(PERSON) || "";
  const strangers = new Set();  // keys of which the server has said that they are another's
  const isMine = (entry) => (!entry.by || entry.by === person()) && !strangers.has(entry.body.key);
  const everything = () => read(WAITS), waiting = () => everything().filter(isMine);
  const ofOthers = () => everything().filter((entry) => !isMine(entry));
  const keep = (prefix, entry) => disk.setItem(prefix + entry.body.key, JSON.stringify(entry));
  const drop = (prefix, key) => disk.removeItem(prefix + key);

  // An entry comes after all that this tab has made or seen, whatever the clock does: an undo after its label.
  let latest = Math.max(0, ...everything().map((entry) => entry.at));
  const stamp = () => (latest = Math.max(Date.now(), latest + 1));
  const subject = (body) => String(body.pair ?? body.item ?? body.key);

  const asked = new Map();  // by key: who waits here for the answer
  const failed = new Map();  // by key: how often one failed alone, and when it is tried again
  const watchers = new Set();
  let state = "";  // why something waits: away, busy, sign-in, fault, forbidden
  let why = "", failures = 0, stored = 0, tried = 0, timer = 0, sending = false, again = false;
  let others = 0;
  let made = false, declined = false;  // a label since the page was opened; the wish to sign in

  const ANOTHERS = tr`Somebody else made it in this browser. It is sent when they sign in again.`;
  const aside = () => read(ASIDE), anothers = () => ofOthers().map((entry) => ({ ...entry, why: ANOTHERS }));
  function standing() {
    const all = waiting(), undos = all.filter((entry) => entry.action === "take_back").length;
    return { labels: all.length - undos, undos, aside: aside().length, anothers: ofOthers().length, state, why };
  }
  let telling = 0;
  function changed() {
    clearTimeout(telling);
    telling = setTimeout(() => { const now = standing(); for (const f of watchers) f(now); }, 20);
  }

  // Keep an action for the server. `shown` is the pair that was on the screen; `receipt` is the server's answer.
  function put(action, body, { shown, about } = {}) {
    const key = newKey(), sent = { ...body, key, annotator: annotator() };
    try {
      keep(WAITS, { at: stamp(), action, body: sent, about: about || subject(body), shown, by: person() });
    } catch {
      const receipt = Promise.reject(new Error(tr`This browser has no room left to keep the label, so it was not made. `
        + tr`Go on when the labels that wait are stored, or in another browser.`));
      receipt.catch(() => {});
      return { kept: false, key: "", receipt };
    }
    const receipt = new Promise((resolve, reject) => asked.set(key, { resolve, reject }));
    receipt.catch(() => {});
    made = true;
    changed();
    if (state === "sign-in" && !declined) signIn();
    else if (!timer || aloneFails()) deliver();
    return { kept: true, key, receipt };
  }

  // Take a label back by the key that it was made with here, wherever it is by now, or by its number.
  function takeBack({ key, label }) {
    if (key && disk.getItem(ASIDE + key)) {
      drop(ASIDE, key);
      changed();
      return { kept: true, key: "", receipt: Promise.resolve(NOTHING) };
    }
    const entry = key && parse(disk.getItem(WAITS + key));
    if (entry) latest = Math.max(latest, entry.at);
    return put("take_back", key ? { of: key } : { label }, { about: entry?.about || `label ${key || label}` });
  }
  const NOTHING = { label: null, undone: null, pair: null };

  // The answer to an entry, for the tab that has made it.
  function settle({ key, receipt, refused }) {
    const who = asked.get(key);
    asked.delete(key);
    if (refused) who?.reject(new Error(refused)); else who?.resolve(receipt);
  }
  function tell(answer) {
    settle(answer);
    try { disk.setItem(ANSWER, JSON.stringify(answer)); drop(ANSWER, ""); } catch { /* it is stored all the same */ }
  }
  function finish(entry, receipt) {
    drop(WAITS, entry.body.key);
    failed.delete(entry.body.key);
    stored += 1;
    tell({ key: entry.body.key, receipt });
    if (receipt !== NOTHING) mm.did(entry.action, receipt);
    changed();
  }
  // What can never be stored no longer stands in the way of what comes after; with its undo nothing is left of it.
  function putAside(entry, refused) {
    const key = entry.body.key, undo = everything().find((other) => other.body.of === key);
    if (!undo) keep(ASIDE, { ...entry, why: refused });
    drop(WAITS, key);
    failed.delete(key);
    tell({ key, refused });
    if (undo) finish(undo, NOTHING);
    changed();
  }

  async function attempt(entry) {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const request = asJson(entry.body, { signal });
      if (entry.by) request.headers["X-Mmdemo-As"] = entry.by;
      const receipt = await send(`mmdemo/api/${entry.action}`, request);
      return "label" in receipt ? { end: "stored", receipt } : { end: "away" };
    } catch (e) {
      if (!(e instanceof Refused)) return { end: "away" };
      const told = { why: e.message, after: e.after_s * 1000 };
      if (e.status === 409) return { ...told, end: "another" };
      if (e.status === 401) return { ...told, end: "sign-in" };
      if (BUSY.includes(e.status)) return { ...told, end: "busy" };
      if (BETWEEN.includes(e.status)) return { ...told, end: "away" };
      if (e.status === 403) return { ...told, end: "forbidden" };
      if (e.status >= 500) return { ...told, end: "fault" };
      if (!e.told) return { ...told, end: "away" };  // by something between: it knows no labels
      return { ...told, end: NEVER.includes(e.status) ? "refused" : "forbidden" };
    }
  }
  const aloneFails = () => state === "fault" || state === "forbidden";  // the server answers all the same
  const step = (n) => Math.min(LONGEST_MS, FIRST_MS * 2 ** n) * (0.5 + Math.random() / 2);

  // Go once through all that waits. What fails alone holds up only what comes after it on the same pair.
  async function pass() {
    const held = new Set();
    const found = { end: "", why: "", pause: LONGEST_MS };
    const hold = (entry, end, told, until) => {
      held.add(entry.about);
      Object.assign(found, { end, why: told || found.why, pause: Math.min(found.pause, until - Date.now()) });
    };
    for (let left = waiting(); left.length; left = waiting().filter((entry) => !held.has(entry.about))) {
      for (const entry of left) {
        const key = entry.body.key, before = failed.get(key);
        if (held.has(entry.about) || !isMine(entry) || !disk.getItem(WAITS + key)) continue;
        if (before?.until > Date.now()) { hold(entry, before.end, before.why, before.until); continue; }
        if (entry.body.of && disk.getItem(ASIDE + entry.body.of)) {
          drop(ASIDE, entry.body.of);
          finish(entry, NOTHING);
          continue;
        }
        tried = Date.now();
        const got = await attempt(entry);
        if (got.end === "stored") { finish(entry, got.receipt); failures = 0; continue; }
        if (got.end === "another") { strangers.add(key); changed(); continue; }
        if (["away", "busy", "sign-in"].includes(got.end)) {
          const pause = got.end === "sign-in" ? LONGEST_MS : step(failures);  // signing in ends it
          return { end: got.end, why: got.why || "", pause: Math.max(pause, got.after || 0) };
        }
        const count = (before?.count || 0) + 1, since = before?.since ?? stored;
        const alone = got.end === "fault" && count >= FAULTS && stored > since;
        try {
          if (got.end === "refused" || alone) { putAside(entry, got.why); continue; }
        } catch { /* no room: it waits */ }
        const until = Date.now() + step(count);
        failed.set(key, { count, since, until, end: got.end, why: got.why });
        hold(entry, got.end, got.why, until);
      }
    }
    return found;
  }
  // One tab at a time where the browser can say so; elsewhere (http from another machine) the keys suffice.
  const alone = (work) => (navigator.locks ? navigator.locks.request("mmdemo.outbox", work).catch(work) : work());
  async function deliver() {
    if (sending) { again = true; return; }
    sending = true;
    again = false;
    clearTimeout(timer);
    timer = 0;
    let found;
    try { found = await alone(pass); } catch { found = { end: "away", why: "", pause: step(failures) }; }
    sending = false;
    state = waiting().length ? found.end : "";  // what it ended at may have been discarded meanwhile
    why = found.why;
    failures = state ? failures + 1 : 0;
    if (state) timer = setTimeout(deliver, Math.max(0, found.pause));
    if (again && (!state || aloneFails())) deliver();
    changed();
    if (state === "sign-in" && made && !declined && !document.hidden) signIn();
  }
  // Asked once; who does not want to is not asked again, and the labels wait.
  async function signIn() {
    declined = !(await mm.signIn(why));
    if (!declined) deliver();
    changed();
  }
  function hurry() { if (state === "away" && Date.now() - tried > HURRY_MS) deliver(); }
  for (const event of ["online", "mm-status", "visibilitychange"]) addEventListener(event, hurry);
  addEventListener("mm-signed-in", deliver);
  function note(who) {
    strangers.clear();
    try { if (who) disk.setItem(PERSON, who); else disk.removeItem(PERSON); } catch { /* no room: as before */ }
    changed();
  }
  // Somebody has signed in; "": they have signed out.
  function become(who) {
    try { disk.setItem(SINCE, String(Date.now())); } catch { /* no room: a status may be believed that is not new */ }
    note(who);
  }
  // The server says who is signed in. An answer to what was asked before they were tells of who was there before.
  addEventListener("mm-status", ({ detail: { you, asked_ms } }) => {
    const since = Number(disk.getItem(SINCE) || 0);
    if (!you.person || you.person === person() || (asked_ms <= since && since <= Date.now())) return;
    note(you.person);
    if (waiting().length) deliver();
  });

  addEventListener("storage", (e) => {
    if (e.key === ANSWER && e.newValue) settle(parse(e.newValue) || {});
    if (e.key?.startsWith(WAITS) && e.newValue) {
      latest = Math.max(latest, parse(e.newValue)?.at || 0);
      clearTimeout(others);
      others = setTimeout(() => { if (!timer) deliver(); }, OTHERS_MS * (1 + Math.random()));
    }
    if (e.key === PERSON) strangers.clear();
    if (!e.key || e.key === PERSON || e.key.startsWith(WAITS) || e.key.startsWith(ASIDE)) changed();
  });
  // What waits for its maker to sign in stays in this browser, and no reload loses it.
  addEventListener("beforeunload", (event) => { if (waiting().length && !["sign-in", "forbidden"].includes(state)) event.preventDefault(); });

  // What was put aside, tried once more or given up.
  function retry() {
    for (const entry of read(ASIDE)) {
      try { keep(WAITS, { ...entry, at: stamp() }); } catch { break; }  // no room: it stays where it is
      drop(ASIDE, entry.body.key);
    }
    deliver();
    changed();
  }
  function discard() {
    for (const entry of read(ASIDE)) drop(ASIDE, entry.body.key);
    changed();
  }
  // Given up for somebody else, who has not seen it: only these, which whoever does it has seen.
  function discardAnothers(entries) {
    const keys = new Set(entries.map((entry) => entry.body.key));
    for (const entry of ofOthers()) if (keys.has(entry.body.key)) drop(WAITS, entry.body.key);
    changed();
  }

  // What waits is given up by who made it.
  function discardWaiting() {
    for (const { body: { key } } of waiting()) {
      drop(WAITS, key);
      failed.delete(key);
      tell({ key, refused: tr`It was discarded, and is not stored.` });
    }
    state = "";
    declined = false;
    clearTimeout(timer);
    timer = 0;
    changed();
  }

  // Versions before kept all labels under one key.
  const BEFORE = "mmdemo.pending", CALLED = { undo: "take_back" };
  try {
    for (const { action, body } of parse(disk.getItem(BEFORE)) || []) {
      keep(WAITS, { at: stamp(), action: CALLED[action] || action, body, about: subject(body) });
    }
    disk.removeItem(BEFORE);
  } catch { /* no room for all: the rest follows when the page is opened again */ }
  if (waiting().length) deliver();

  const watch = (f) => { watchers.add(f); f(standing()); };
  return { put, takeBack, waiting, aside, anothers, retry, discard, discardAnothers, discardWaiting, signIn, become, watch, sendNow: deliver, get state() { return state; } };
})();
mm.save = mm.outbox.put;
