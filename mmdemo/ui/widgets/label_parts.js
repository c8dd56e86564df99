// What the Label tab shows around the pair: signs, the goal, the guidelines, the keys.
const { icon, openTab } = mm;
const ARROWS = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑" };
const keyName = (code) => mm.h("kbd", {}, ARROWS[code] || code.replace(/^Key|^Digit/, ""));
const kindOf = (name) => mm.kinds.find((kind) => kind.name === name);
for (const node of element.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));

// How far it is to the first fine-tune; the answers of the samples are test pairs, and count nothing here.
function drawGoal(goal) {
  const find = (selector) => element.querySelector(selector), more = goal.need - goal.have, share = Math.min(1, goal.have / goal.need);
  find("[data-goal]").hidden = false;
  find("[data-enough]").hidden = more > 0;
  // The empty value tells these words in a table from those of "110 more" elsewhere.
  find("[data-more]").textContent = more > 0 ? tr`${more} more${""}` : "";
  find("[data-until]").textContent = more > 0 ? tr` until the first fine-tune` : "";
  find("[data-until-short]").textContent = more > 0 ? tr` to the first tune` : "";
  find("[data-of]").textContent = more > 0 ? tr`${goal.have} of ${goal.need}` : "";
  find(".mm-label-top").title = tr`Answers to learn from. Some pairs are kept to test with, and unsure ones teach nothing: neither is counted here.`;
  const meter = find(".mm-meter");
  meter.firstElementChild.style.width = `${100 * share}%`;
  meter.setAttribute("aria-valuenow", Math.min(goal.have, goal.need));
  meter.setAttribute("aria-valuemax", goal.need);
  meter.setAttribute("aria-label", tr`${goal.have} of ${goal.need} answers to learn from`);
}

// When a text fits, by how the modality is looked at. They are open until the first label was made in this browser.
const EDITED = [tr` or press `, mm.h("kbd", {}, "E"), tr` and put it right.`];
const GUIDE = {
  "": (noun) => [[tr`Everything it says must be in the ${noun}.`], [tr`It may leave things out: `, mm.h("q", {}, tr`a boat`), tr` fits two boats.`], [tr`Wrong colour or count: doesn’t fit,`, ...EDITED], [tr`Can’t see it well enough: unsure.`]],
  wave: () => [[tr`It must be what is said, word for word.`], [tr`Capitals and commas do not matter.`], [tr`A wrong or missing word: doesn’t fit,`, ...EDITED], [tr`Can’t hear it well enough: unsure.`]],
  video: () => [[tr`Everything it says must be shown or said there.`], [tr`It may leave things out.`], [tr`It begins or ends elsewhere: drag the edges, then say that it fits.`], [tr`Can’t see it well enough: unsure.`]],
};
const GUIDED = "mmdemo.guide";
function drawGuide({ player, noun }) {
  element.querySelector(".mm-question").textContent = tr`Does this text fit the ${noun}?`;
  element.querySelector(".mm-guide ul").replaceChildren(...(GUIDE[player] || GUIDE[""])(noun).map((line) => mm.h("li", {}, line.map((part) => (part.cloneNode ? part.cloneNode(true) : part)))));
}
const guided = (word) => { try { if (word) localStorage.setItem(GUIDED, word); return localStorage.getItem(GUIDED); } catch { return word || null; } };
element.querySelector(".mm-guide").open = guided() !== "folded";
element.querySelector(".mm-guide summary").onclick = () => guided(element.querySelector(".mm-guide").open ? "folded" : "open");
let noted = Boolean(guided());
function noteGuided() { if (!noted) { noted = true; guided("folded"); } }

// The keys, in a dialog.
function showKeys() {
  if (document.querySelector("dialog.mm-keys")) return;
  const { player } = mm.task.modality, line = (codes, words) => [mm.h("dt", {}, codes.map(keyName)), mm.h("dd", {}, words)];
  const played = player ? [line(["KeyR"], tr`play it again`), line(["KeyT"], tr`play it slowly`)] : [];
  const dialog = mm.h("dialog", { class: "mm-dialog mm-keys", "aria-labelledby": "mm-keys-of", onclose: () => dialog.remove() },
    mm.h("h4", { id: "mm-keys-of" }, tr`Keys`),
    mm.h("dl", { "data-keys": true }, ...mm.kinds.filter((kind) => kind.keys.length).map((kind) => line(kind.keys, kind.about)),
      line(["KeyE"], tr`write a better text`), line(["KeyS"], tr`skip`), line(["KeyZ"], tr`take the last answer back`), ...played,
      ...(player === "wave" ? [line(["KeyW"], tr`the words on the waveform; drag an edge to correct its time`)] : []),
      line(["?"], tr`these keys`)),
    mm.h("p", { class: "mm-hint" }, tr`Pairs come in random order up to 150 labels, then those first that teach most; every fifth stays random.`),
    mm.h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`));
  document.body.append(dialog);
  dialog.showModal();
}
