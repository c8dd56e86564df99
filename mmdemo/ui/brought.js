/* What somebody brought to look at: what becomes of it is said below it, and whoever may add it to the collection finds a
   button for that. */
mm.brought = (bar, got) => {
  for (const node of bar.querySelectorAll("[data-add], [data-kept]")) node.remove();
  if (!got?.kept_h) return;
  const time = got.kept_h === 1 ? "an hour" : got.kept_h === 24 ? "a day" : `${got.kept_h} hours`;
  const kept = mm.h("span", { class: "mm-hint", "data-kept": "" }, `Nobody else finds it. It is deleted ${time} after its last use, unless it is labelled or added.`);
  const add = async () => {
    try {
      const added = await mm.api("add_to_collection", { item: got.item });
      button.remove();
      kept.remove();
      mm.toast(`${added.name} is in the collection.`);
    } catch (e) { mm.toast(e.message, true); }
  };
  const button = mm.h("button", { class: "mm-link", type: "button", "data-add": "", onclick: add }, "Add to the collection");
  bar.append(...(got.may_add ? [button] : []), kept);
};
