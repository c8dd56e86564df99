const { h, api, address, poll, onPending } = mm;
const line = element.querySelector(".mm-status");
const place = element.querySelector(".mm-keeping");
element.querySelector("[data-share]").onclick = () => address.share();
let unsaved = 0;
let last = null;

function draw() {
  if (!last) return;
  const { model, index, version } = last;
  const parts = [];
  if (model.state === "ready") parts.push(h("span", { class: "mm-dot good", title: model.message }, version));
  else parts.push(h("span", { class: model.state === "failed" ? "mm-dot bad" : "mm-dot busy" }, model.message));
  if (index.working) parts.push(h("span", { class: "mm-dot busy" }, index.working));
  if (index.stale > 0 && model.state === "ready") parts.push(h("span", { class: "mm-dot busy" }, `${Math.ceil(index.stale * 100)} % of the collection still shows the version before`));
  parts.push(h("span", {}, `${index.items} ${mm.task.modality.plural}`));
  if (unsaved) parts.push(h("span", { class: "mm-dot bad" }, `${unsaved} label${unsaved > 1 ? "s" : ""} on the way`));
  line.replaceChildren(...parts);
}

onPending((n) => { unsaved = n; draw(); });
poll(element, 10000, () => api("status", { task: mm.task.name }), (status, error) => {
  if (error) {
    line.replaceChildren(h("span", { class: "mm-dot bad" }, "No connection. Trying again…"));
    return 2000;
  }
  last = status;
  draw();
  place.textContent = status.keeping.text;
  place.classList.toggle("warning", !status.keeping.lasting);
  dispatchEvent(new CustomEvent("mm-status", { detail: status }));
  return status.model.state === "ready" && !status.index.working && !status.index.stale ? 10000 : 800;
});
