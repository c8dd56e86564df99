/* What somebody brought to look at: what becomes of it is said below it, and whoever may add it to the collection finds a
   button for that. */
mm.brought = (bar, got) => {
  for (const node of bar.querySelectorAll("[data-add], [data-kept]")) node.remove();
  if (!got?.kept_h) return;
  const time = got.kept_h === 1 ? tr`an hour` : got.kept_h === 24 ? tr`a day` : tr`${got.kept_h} hours`;
  const kept = mm.h("span", { class: "mm-hint", "data-kept": "" }, tr`Nobody else finds it. It is deleted ${time} after its last use, unless it is labelled or added.`);
  const add = async () => {
    try {
      const added = await mm.api("add_to_collection", { item: got.item });
      button.remove();
      kept.remove();
      mm.toast(tr`${added.name} is in the collection.`);
    } catch (e) { mm.toast(e.message, true); }
  };
  const button = mm.h("button", { class: "mm-link", type: "button", "data-add": "", onclick: add }, tr`Add to the collection`);
  bar.append(...(got.may_add ? [button] : []), kept);
};

/* What is dropped. A tab takes files of its kind; others go where they belong: a medium to the tab of its kind, what may be
   a collection (several files, a folder, a zip, a table) to Data.

   mm.receive(to, take): a tab takes what is led to it, `to` is its task or "data". What came before it was there waits.
   mm.lead(drop, task): whether what was dropped on the tab of a task goes elsewhere. */
(() => {
  const COLLECTION = /\.(zip|tar|tgz|tar\.gz|csv|tsv|jsonl?|parquet|xlsx)$/i;
  const takers = {}, waiting = {};
  mm.kindOfFile = (file) => mm.modalities.find((m) => file.type.startsWith(`${m.name}/`));
  // To be asked while it is dropped: it is gone once that has returned.
  mm.dropped = (e) => [...e.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() || item.getAsFile()).filter(Boolean);
  // Files with their paths; of a folder all below it.
  mm.filesBelow = async (entries) => {
    const ask = (f) => new Promise(f), found = [];
    for (const entry of entries) {
      if (entry instanceof File) found.push([entry, entry.name]);
      else if (entry.isFile) found.push([await ask((ok, no) => entry.file(ok, no)), entry.fullPath.slice(1)]);
      else for (let reader = entry.createReader(), some; (some = await ask((ok, no) => reader.readEntries(ok, no))).length;) found.push(...await mm.filesBelow(some));
    }
    return found;
  };
  mm.receive = (to, take) => {
    takers[to] = take;
    if (waiting[to]) setTimeout(() => { take(waiting[to]); delete waiting[to]; });  // behind what the tab itself begins with
  };
  function give(to, title, what, words) {
    mm.toast(tr`${words} Opened under ${title}.`);
    if (takers[to]) takers[to](what); else waiting[to] = what;
    mm.openTab(title);
  }
  mm.lead = (e, task) => {
    const entries = mm.dropped(e), [file] = e.dataTransfer.files, kind = file && mm.kindOfFile(file);
    if (entries.length === 1 && !entries[0].isDirectory) {
      if (kind && kind.task !== task) give(kind.task, mm.tabTitles[kind.tab], file, tr`${file.name} is none of the ${mm.modalityOf(task).plural}.`);
      else if (!kind && COLLECTION.test(file?.name || "")) give("data", mm.tabTitles.data, [[file, file.name]], tr`${file.name} may hold a collection.`);
      else return false;
      return true;
    }
    if (!entries.length) return false;
    mm.filesBelow(entries).then((list) => give("data", mm.tabTitles.data, list, `${mm.many(list.length, "file")}.`)).catch((x) => mm.toast(x.message, true));
    return true;
  };
})();
