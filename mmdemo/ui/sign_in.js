/* Who one is here: signing in by the pass phrase or an invitation, who one is in the header, inviting others. */
(() => {
  const { h, api, asJson, confirm, poke, send, toast } = mm;
  const LINK = /#sign-in=([^\s#]+)$/;  // of an invitation, and of the owner's own at the start
  const SIGNED_IN = "mmdemo.signed-in";  // when it was in any tab: the session is the browser's
  const may = window.mmRoles, ROLES = Object.keys(may);
  const told = ({ role, name }) => `You are signed in${name ? ` as ${name}` : ""} and may ${may[role]}.`;
  const post = (path, body = {}) => send(path, asJson(body));

  let known = null;  // who one is, by the newest status

  async function open(key) {
    const you = await post("mmdemo/sign-in", { key: LINK.exec(key)?.[1] || key });
    known = { ...known, ...you };
    toast(told(you));
    mm.outbox.become(you.person);
    try { localStorage.setItem(SIGNED_IN, String(Date.now())); } catch { /* other tabs hear of it by themselves */ }
    signedIn();
  }
  function signedIn() {
    dispatchEvent(new CustomEvent("mm-signed-in"));
    poke();
  }
  addEventListener("storage", (e) => { if (e.key === SIGNED_IN) signedIn(); });

  // A Space may offer this; it opens beside the page, for Hugging Face is shown in no frame.
  const byHub = () => h("p", {}, h("a", { class: "mm-button", href: "mmdemo/hub/sign-in", target: "_blank" }, "Sign in with Hugging Face"));

  // Asks for a key until it is right or the person cancels; answers whether they are signed in.
  // `said` is why a key that came by a link did not open.
  let asking = null, hub = false;
  function signIn(why = "Sign in to label, import or train.", said = "", shown = "") {
    asking ||= new Promise((resolve) => {
      const key = h("input", { id: "mm-key", type: "password", autocomplete: "current-password", required: true, value: shown });
      const wrong = h("p", { class: "mm-error", role: "alert", hidden: !said }, said);
      const go = h("button", { class: "mm-button primary" }, "Sign in");
      const form = h("form", { onsubmit: async (e) => {
        e.preventDefault();
        go.disabled = true;
        wrong.hidden = true;
        try {
          await open(key.value.trim());
          resolve(true);
          dialog.close();
        } catch (error) {
          wrong.textContent = error.message;
          wrong.hidden = false;
          key.select();
        }
        go.disabled = false;
      } }, h("h4", { id: "mm-sign-in" }, "Sign in"), h("p", {}, why), hub && byHub(), h("label", { class: "mm-field", for: "mm-key" }, "Pass phrase or invitation"), key, wrong,
        h("div", { class: "mm-row" }, go, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, "Cancel")));
      const dialog = h("dialog", { class: "mm-dialog mm-signing", "aria-labelledby": "mm-sign-in", onclose: () => { dialog.remove(); asking = null; resolve(false); } }, form);
      document.body.append(dialog);
      dialog.showModal();
    });
    return asking;
  }

  // Whether one may what a role may; whoever may not is asked to sign in for it first.
  const has = (role) => !known || ROLES.indexOf(known.role) >= ROLES.indexOf(role);
  const allows = async (role, why) => has(role) || ((await signIn(why)) && has(role));

  async function signOut() {
    await post("mmdemo/sign-out");
    mm.outbox.become("");
    location.reload();
  }

  // An invitation is a link that is shown once. The server knows the address that it was told of; where that is one
  // of its own machine only, the owner is here by a better one.
  const OWN = ["127.0.0.1", "localhost", "[::1]"];
  function linkHere(made) {
    const url = new URL(made, location.href);
    return OWN.includes(url.hostname) ? location.origin + location.pathname + url.hash : url.href;
  }
  // For whom an invitation is, what they may and until when.
  function toldOf({ role, name, expires }, uses) {
    const until = new Date(`${expires}Z`).toLocaleString(undefined, { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
    const whom = name ? `An invitation for ${name}` : "An invitation";
    const who = uses > 1 ? `Each of ${uses} people who open` : "Whoever opens";
    return [h("h4", {}, whom), h("p", {}, `${who} this link may ${may[role]}. It can be opened ${uses > 1 ? "" : "once, "}until ${until}. It is shown only now.`)];
  }
  async function invite() {
    const field = (words, input) => h("label", { class: "mm-field" }, words, " ", input);
    const role = h("select", { "aria-label": "May" }, ROLES.slice(1).map((name) => h("option", { value: name }, may[name])));
    const name = h("input", { maxlength: 100, placeholder: "Their labels bear it" });
    const uses = h("input", { type: "number", min: 1, max: 1000, value: 1 });
    if (!(await confirm("Invite somebody. The link can be opened for a week.", "Make a link", [field("Who has it may", role), field("Name", name), field("How many people", uses)]))) return;
    try {
      const made = await api("invite", { role: role.value, name: name.value, uses: Number(uses.value) });
      mm.showLink("Invitation link", linkHere(made.link), ...toldOf(made, Number(uses.value)));
    } catch (e) { toast(e.message, true); }
  }

  // Who one is, in the header; alone at one's own machine there is nobody to be.
  const link = (words, onclick) => h("button", { class: "mm-link", type: "button", onclick }, words);
  let drawn = "";
  addEventListener("mm-status", ({ detail: { you } }) => {
    known = you;
    const box = document.querySelector("[data-who]"), now = JSON.stringify(you);
    if (!box || (now === drawn && box.children.length)) return;
    drawn = now;
    hub = you.hub;
    box.hidden = you.alone;
    if (you.role === "viewer" && !you.name) return box.replaceChildren(h("button", { class: "mm-button", type: "button", onclick: () => signIn() }, "Sign in"));
    box.replaceChildren(h("span", { title: told(you) }, [you.name, you.role].filter(Boolean).join(" · ")), ...(you.role === "owner" ? [link("Invite", invite), link("People", () => mm.showPeople())] : []), link("Sign out", signOut));
  });

  // Whether a link is the one by which one is in already.
  const isOwn = async (key) => { try { return (await post("mmdemo/sign-in", { key, own: true })).own; } catch { return false; } };

  // Any page may send its reader to a link of its own choice: whoever is somebody already is asked first.
  async function openLink(asks) {
    const key = LINK.exec(location.hash)?.[1];
    if (!key) return;
    history.replaceState(null, "", location.pathname + location.search);
    const you = known || await new Promise((told) => addEventListener("mm-status", ({ detail }) => told(detail.you), { once: true }));
    const somebody = you.alone || you.role !== "viewer" || you.name;
    const who = you.name || you.role;
    if (somebody && (await isOwn(key))) return toast(`You are signed in already, as ${who}.`);
    const now = somebody ? ` You are signed in as ${who}, and no longer by that.` : "";
    if ((asks || somebody) && !(await confirm(`Sign in by this link?${now}`, "Sign in"))) return;
    open(key).catch((e) => signIn("By this link nobody is signed in now.", e.message, key));
  }
  addEventListener("hashchange", () => openLink(true));
  openLink(false);
  Object.assign(mm, { signIn, allows });
})();
