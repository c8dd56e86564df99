/* The address: all that changes what is shown stands in it. Back and Forward go through it, and a link reopens it.

A tab says what it shows, and shows what it is told to:

    const remember = mm.address.keep("video", element, { state, restore });

state(): an object of texts, of all that changes what is shown; "" where it is as at the beginning. The tab's view and task
  are added where it names none.
restore(link, first): shows what such an object says; {} is the beginning. `first`: the tab is new, and whoever was
  quicker than it keeps what they did. It ends when all is asked for; the answers may come later.
remember(asked): something of it has changed. `asked`: it was asked for, as a search: Back leads to the one before. */
mm.address = (() => {
  const { modalities, newKey } = mm;
  // What makes another entry for Back when it changes; the rest is a detail of the one that is there.
  const STEPS = ["view", "mode", "item", "part", "task", "learns", "run"];
  const LONG = 1500;  // characters; of more, what is shared is kept here, and gets a short link
  const LONGEST = 30000;  // characters of an address: the texts of a longer one stand in its entry alone
  const isForeign = ([name]) => name.startsWith("_") || name === "lang";  // what is no state: what Gradio wrote there, as its theme, and a language
  const inAddress = () => [...new URLSearchParams(location.search)];
  const read = () => history.state?.whole || Object.fromEntries(inAddress().filter((one) => !isForeign(one)));
  const tabOf = (view) => (mm.tabTitles[view] ? view : "image");  // that one begins, and its views have names of their own
  const taskOf = (tab) => modalities.find((m) => m.tab === tab)?.task;
  const kept = {};  // by the name of the tab
  const typed = new Map();  // by entry: what was written into fields, which nobody asked yet
  let link = read(), at = tabOf(link.view), restoring = 0, held = false;
  const ready = link.s ? openShort(link.s) : Promise.resolve();
  let entry = history.state?.entry || newKey();
  let touched = false;  // Gradio selects its first tab by itself while it builds the page; that is nobody's wish
  let acted = false;  // somebody did something since the last entry: what the page does by itself makes none
  for (const kind of ["pointerdown", "keydown", "drop", "paste", "change"]) addEventListener(kind, () => { touched = acted = true; }, { capture: true });
  addEventListener("input", ({ target, isTrusted }) => {
    if (!isTrusted || !target.matches?.("textarea, input[type=text], input[type=search], input:not([type])")) return;
    if (!typed.has(entry)) typed.set(entry, new Map());
    typed.get(entry).set(target, target.value);
  }, { capture: true });

  // What a link names and is not here is told where it would stand: in the tab, until something else is opened.
  let lost = [];
  function tellLost() {
    for (const note of document.querySelectorAll(".mm-lost")) note.remove();
    const place = kept[at]?.element;
    if (place && lost.length) place.prepend(mm.h("div", { class: "mm-note mm-lost", role: "status" }, lost.map((words) => mm.h("p", {}, words))));
  }
  const regain = () => { if (lost.length) { lost = []; tellLost(); } };
  // `what` is not here, `instead` is what is shown: one sentence of both.
  function gone(what, instead) {
    lost.push(`${what}; ${instead}.`);
    tellLost();
  }
  // The item of a link, if it is here.
  async function itemOf(id, task, instead) {
    try { return await mm.patiently(() => mm.api("medium", { item: id, task })); } catch (e) {
      if (!(e instanceof mm.Refused && e.told && e.status === 400)) throw e;
      const { noun } = mm.modalityOf(task), removed = e.message.includes("was removed");
      gone(removed ? tr`The ${noun} of this link was removed from the collection` : tr`The ${noun} of this link is not here: it is of another collection, or only its sender may look at it`, instead);
      return null;
    }
  }

  const stateOf = (name) => ({ view: name, task: taskOf(name) || mm.task.name, ...kept[name]?.state() });
  const queryOf = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  const withForeign = (query) => {
    const all = new URLSearchParams([...query, ...inAddress().filter(isForeign)]);
    return all.size ? `?${all}` : location.pathname;
  };
  // The one place that writes the address.
  function write(values, asked = false, may = true) {
    const query = queryOf(values), before = read();
    const now = queryOf(before);
    query.sort();
    now.sort();
    if (query.toString() === now.toString()) return;
    const step = may && acted && (asked || STEPS.some((name) => (query.get(name) || "") !== (before[name] || "")));
    if (step) entry = newKey(); else if ((before.text || "") !== (query.get("text") || "")) typed.delete(entry);
    if (step) { acted = false; regain(); }
    const whole = query.toString().length > LONGEST ? Object.fromEntries(query) : null;
    if (whole) query.delete("text");
    history[step ? "pushState" : "replaceState"]({ entry, whole }, "", withForeign(query));
  }
  // A short link stands for what was too long to send; it opens as the long one does.
  async function openShort(id) {
    held = true;
    let state = null, known = true;  // a server that is busy is asked again; what it refuses stays in the address
    try { ({ state } = await mm.patiently(() => mm.api("short_link", { link: id }))); } catch (e) { known = false; mm.toast(e.message, true); }
    if (known && state === null) gone(tr`This short link is not known here: it is of another collection, or has made room for newer ones`, tr`what the page begins with is shown instead`);
    if (known) history.replaceState(history.state, "", withForeign(new URLSearchParams(state || "")));
    link = read();
    at = tabOf(link.view);
    held = false;
    mm.task.set(taskOf(at) || link.task);
  }
  async function restore(name, values, first) {
    const mine = name === at ? (restoring += 1) : 0;
    if (mine) held = true;
    try { await kept[name].restore(values, first); } finally {
      if (mine && mine === restoring) {
        held = false;
        if (name === at) write(stateOf(name), false, !first);
      }
    }
  }
  function keep(name, element, how) {
    let timer = 0, step = false;
    kept[name] = { element, ...how };
    if (name === at) tellLost();
    ready.then(() => restore(name, name === at ? link : {}, true)).finally(() => tr.refill(element));
    return (asked = false) => {
      step ||= asked;
      clearTimeout(timer);  // after what is to be seen has been drawn: asking for a layout and writing an address take 25 ms
      timer = setTimeout(() => {
        if (!held && name === at && element.offsetParent !== null) write(stateOf(name), step);
        step = false;
      });
    };
  }
  // Another tab was opened: its view, and nothing of the one before.
  function view(name) {
    if (!touched || (held && name === at)) return;
    if (name !== at) { restoring += 1; held = false; }
    at = name;
    if (taskOf(name)) mm.task.set(taskOf(name));
    if (kept[name] || tabOf(read().view) !== name) write(stateOf(name));
  }
  async function follow(state) {
    acted = false;
    entry = state?.entry || newKey();
    link = read();
    at = tabOf(link.view);
    mm.openTab(mm.tabTitles[at]);
    mm.task.set(taskOf(at) || link.task);
    if (!kept[at]) return;  // it is told when Gradio has laid it out
    const mine = entry;
    regain();
    await restore(at, link, false);
    if (mine === entry) for (const [field, words] of typed.get(entry) || []) if (field.isConnected) field.value = words;
  }
  addEventListener("popstate", ({ state }) => follow(state));
  // What a link of the page says is shown in it, as Back would show it; Back leads to what was shown before.
  function go(query) {
    history.pushState({ entry: newKey(), whole: null }, "", withForeign(new URLSearchParams(query)));
    return follow(history.state);
  }
  // The link names the version that answered what is on the page: another one may be active when it is opened.
  async function share() {
    const answered = [...document.querySelectorAll("[data-model]")].find((box) => box.dataset.model && box.offsetParent !== null && box.children.length);
    if (kept[at] && !held) write(stateOf(at), false, false);
    const to = new URL(location.href), values = { ...read(), ...(answered && { version: answered.dataset.model }) };
    to.search = queryOf(values);
    if (to.search.length > LONG) {
      try { to.search = `?s=${(await mm.api("shorten", { state: to.search.slice(1) })).link}`; } catch (e) { return mm.toast(e.message, true); }
    }
    try {
      await navigator.clipboard.writeText(to.href);
      mm.toast(tr`Link copied. It reopens exactly this.`);
    } catch {
      mm.showLink(tr`Link to this`, to.href, [mm.h("p", {}, tr`This link reopens exactly what is on the page.`)]);
    }
  }
  return { keep, view, share, go, gone, itemOf, get link() { return link; }, get at() { return at; } };
})();

// The task that Label, Fine-tune and Data are about: that of the tab one comes from, or as chosen there.
mm.task = (() => {
  const { h, modalities, modalityOf, address } = mm;
  const own = modalities.find((m) => m.tab === address.at) || modalityOf(address.link.task) || modalities[0];
  return {
    name: own.task,
    get modality() { return modalityOf(this.name); },
    set(name) {
      if (name === this.name || !modalityOf(name)) return;
      this.name = name;
      dispatchEvent(new CustomEvent("mm-task", { detail: name }));
      mm.poke();
    },
    // A row of tabs that chooses it; `changed` is called whenever it has been chosen anywhere.
    chooser(changed) {
      const box = h("div", { class: "mm-segments mm-tasks", role: "tablist", "aria-label": tr`Kind` }, modalities.map(({ task: name, title }) =>
        h("button", { role: "tab", type: "button", "data-task": name, onclick: () => this.set(name) }, title)));
      const draw = () => { for (const b of box.children) b.setAttribute("aria-selected", b.dataset.task === this.name); };
      addEventListener("mm-task", () => { draw(); changed(); });
      draw();
      return box;
    },
  };
})();

// What a tab shows first; of the first tab it is asked for while Gradio still builds the page. The tab's state follows the
// version that is chosen for its task, first that of a link; `changed` hears of another.
mm.begin = (() => {
  const early = {};
  if (mm.address.at === "image") (early["image-text"] = mm.api("samples", { task: "image-text" })).catch(() => {});
  return async (about, link, state, changed) => {
    const start = await mm.patiently(() => {
      const asked = early[about] || mm.api("samples", { task: about });
      delete early[about];
      return asked;
    });
    mm.version.ofLink(about, link.version, start.versions);
    mm.version.follow(about, state, changed);
    return start;
  };
})();
