// On a touch screen a swipe over the picture or its text is an answer, which can be taken back for a while.
const FAR_PX = 72, TOAST_MS = 5000;
const swiped = element.querySelector(".mm-swiped");
let hiding = 0;
function swipe(area, answer) {
  let from = null;
  const moved = (x, y) => { const dx = x - from.x; return Math.abs(dx) > 1.5 * Math.abs(y - from.y) ? dx : 0; };
  const rest = () => { from = null; area.style.removeProperty("--swiped"); delete area.dataset.swipe; };
  area.addEventListener("pointerdown", (e) => {
    if (e.pointerType === "mouse" || !current || isSound(current) || isVideo(current) || e.target.closest("button")) return;
    from = { x: e.clientX, y: e.clientY, pair: current.pair, id: e.pointerId };
  });
  area.addEventListener("pointermove", (e) => {
    if (!from || e.pointerId !== from.id) return;
    const dx = moved(e.clientX, e.clientY);
    area.style.setProperty("--swiped", `${dx}px`);
    area.dataset.swipe = Math.abs(dx) < FAR_PX ? "" : dx > 0 ? "good" : "bad";
  });
  area.addEventListener("pointerup", (e) => {
    if (!from || e.pointerId !== from.id) return;
    const dx = moved(e.clientX, e.clientY), same = current?.pair === from.pair;
    rest();
    if (same && Math.abs(dx) >= FAR_PX) answer(dx > 0 ? "positive" : "negative");
  });
  area.addEventListener("pointercancel", rest);
}
function tellSwiped(verdict) {
  clearTimeout(hiding);
  swiped.replaceChildren(markOf(verdict), mm.h("span", {}, titleOf(verdict)), mm.h("button", { class: "mm-link", type: "button", onclick: () => { forgetSwiped(); undo(); } }, tr`Undo`));
  swiped.hidden = false;
  hiding = setTimeout(forgetSwiped, TOAST_MS);
}
function forgetSwiped() { clearTimeout(hiding); swiped.hidden = true; }
