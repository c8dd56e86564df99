// What is done with many items at once: answered, left to Label, exported, hidden or removed. Search and Map share it.
// task(): of the items; clear(): nothing is selected any more; again(): what is shown is asked for anew.
function bulkDoes({ task, clear, again }) {
  const ofItems = (n) => { const { noun, plural } = mm.modalityOf(task()); return mm.many(n, noun, plural); };
  const done = (words, undo = null) => { mm.saved(words, undo); clear(); return again(); };
  const tell = (e) => mm.toast(e.message, true);

  /* Answered: rows of { item, text, said, more }, each with its own text; what says so already is left */
  async function answer(rows, verdict) {
    if (!(await mm.allows("annotator", tr`Answering is for annotators. Sign in as one.`))) return;
    // The earlier answer stays in the log: the newer one counts, and where that is taken back the earlier one does again.
    const sent = rows.filter(({ text, said }) => text && said !== verdict).map(({ item, text, more }) => mm.save("label_result", { item, text, verdict, ...more }));
    const got = await Promise.allSettled(sent.map((one) => one.receipt)), kept = sent.filter((_, i) => got[i].status === "fulfilled");
    const refused = got.find((one) => one.status === "rejected");
    if (refused) tell(refused.reason);
    const undo = async () => { await Promise.allSettled(kept.map((one) => mm.outbox.takeBack(one).receipt)); again(); };
    await done(kept.length ? tr`Saved: ${mm.many(kept.length, "answer", "answers")}` : tr`These are answered so already`, kept.length ? undo : null);
  }

  /* Left to Label, which asks for them next: rows of { item, text }; what has its answer already is left */
  async function later(rows) {
    if (!(await mm.allows("annotator", tr`Labelling is for annotators. Sign in as one.`))) return;
    const named = rows.filter(({ text }) => text);
    if (!named.length) return mm.toast(tr`These have no text to be asked about. Search by words, and choose among what is found.`, true);
    const { pairs, answered } = await mm.api("label_later", { items: named.map((one) => one.item), texts: named.map((one) => one.text) });
    clear();
    if (!pairs.length) return mm.saved(tr`These are answered already`);
    mm.saved(tr`Label asks for ${mm.many(pairs.length, "pair", "pairs")} next.${answered ? tr` ${mm.many(answered, "pair", "pairs")} answered already.` : ""}`, () => mm.openTab("Label"), tr`Open Label`);
  }

  /* Exported: their labels, with the files */
  async function exportLabels(items) {
    if (!(await mm.allows("trainer", tr`Exporting is for trainers. Sign in as one.`))) return;
    const { formats } = await mm.api("data", { task: task() }), format = mm.h("select", { "aria-label": tr`Format` }, formats.map((name) => mm.h("option", { value: name }, name)));
    if (formats.includes("jsonl")) format.value = "jsonl";
    if (!(await mm.confirm(tr`Export the labels of ${ofItems(items.length)}, with the files.`, tr`Export`, [mm.h("label", { class: "mm-field" }, tr`Format`, format)]))) return;
    const made = await mm.api("export", { task: task(), format: format.value, items });
    mm.h("a", { href: made.path, download: "" }).click();
    mm.toast(tr`Exported ${mm.many(made.pairs, "pair", "pairs")} with ${mm.many(made.labels, "label", "labels")}.`);
  }

  /* Hidden, which can be undone, and removed, which cannot: what goes is said before */
  async function hide(items, out = true) {
    if (!(await mm.allows("trainer", tr`Hiding is for trainers. Sign in as one.`))) return;
    const made = await mm.api(out ? "hide" : "show", { items });
    if (out) await done(tr`Hidden from search and captions: ${ofItems(made.items)}. Labels count as before.`, () => hide(items, false).catch(tell));
    else await done(tr`Shown again: ${ofItems(made.items)}.`);
  }
  async function remove(items) {
    if (!(await mm.allows("owner", tr`Removing is for the owner. Sign in as one.`))) return;
    const would = await mm.api("remove", { items, dry_run: true });
    const labels = would.labels ? tr` ${mm.many(would.labels, "label stays", "labels stay")} in the log, and count for nothing any more.` : "";
    if (!(await mm.confirm(tr`Remove ${ofItems(would.items)} and ${mm.many(would.pairs, "pair", "pairs")}? The files go from the disk.${labels} This cannot be undone; Hide can.`, tr`Remove`))) return;
    const made = await mm.api("remove", { items });
    await done(tr`Removed ${ofItems(made.items)}.${made.done ? "" : tr` Some files go in a minute.`}`);
  }
  return { answer, later, exportLabels, hide, remove };
}
