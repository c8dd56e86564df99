/* What somebody brought to look at: while it is no part of the collection, whoever may add it finds a button for that. */
mm.brought = (bar, got) => {
  bar.querySelector("[data-add]")?.remove();
  if (!got?.may_add) return;
  const add = async () => {
    try {
      const added = await mm.api("add_to_collection", { item: got.item });
      button.remove();
      mm.toast(`${added.name} is in the collection.`);
    } catch (e) { mm.toast(e.message, true); }
  };
  const button = mm.h("button", { class: "mm-link", type: "button", "data-add": "", onclick: add }, "Add to the collection");
  bar.append(button);
};
