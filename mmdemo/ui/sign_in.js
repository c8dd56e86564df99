/* Who one is here: signing in by the pass phrase or an invitation, who one is in the header, inviting others. */
(() => {
  const { h, api, asJson, confirm, poke, send, toast } = mm;
  const LINK = /#sign-in=([^\s#]+)$/;  // of an invitation, and of the owner's own at the start
  const SIGNED_IN = "mmdemo.signed-in";  // when it was in any tab: the session is the browser's
  const roles = window.mmRoles, ROLES = Object.keys(roles), may = (role) => tr.told(roles[role].may);
  const told = ({ role, name }) => tr`You are signed in${name ? tr` as ${name}` : ""} and may ${may(role)}.`;
  const post = (path, body = {}) => send(path, asJson(body));

  let known = null;  // who one is, by the newest status
  const link = (onclick, words) => h("button", { class: "mm-link", type: "button", onclick }, words);

  async function open(key) {
    const you = await post("mmdemo/sign-in", { key: LINK.exec(key)?.[1] || key });
    known = { ...known, ...you };
    greet(you, mm.outbox.waiting().filter((entry) => !entry.by).length);
    mm.outbox.become(you.person);
    try { localStorage.setItem(SIGNED_IN, String(Date.now())); } catch { /* other tabs hear of it by themselves */ }
    signedIn();
  }
  function signedIn() {
    dispatchEvent(new CustomEvent("mm-signed-in"));
    poke();
  }
  addEventListener("storage", (e) => { if (e.key === SIGNED_IN) signedIn(); });
  // Whoever was let in to label finds the way there; their invitation's link opens it by itself.
  function greet(you, waited) {
    const taken = waited && you.role !== "viewer" ? tr` What was labelled here before is sent as ${you.name ? `${you.name}'s` : tr`yours`}.` : "";
    const elsewhere = you.role === "annotator" && new URLSearchParams(location.search).get("view") !== "label";
    if (!elsewhere) return toast(told(you) + taken);
    toast([told(you) + taken, " · ", h("a", { class: "mm-link", href: "?view=label" }, tr`Start labelling`)], false, 15000);
  }

  // A Space may offer this; it opens beside the page, for Hugging Face is shown in no frame.
  const byHub = () => h("p", {}, h("a", { class: "mm-button", href: "mmdemo/hub/sign-in", target: "_blank" }, tr`Sign in with Hugging Face`));

  // Asks for a key until it is right or the person cancels; answers whether they are signed in.
  // `said` is why a key that came by a link did not open.
  let asking = null, hub = false;
  function signIn(why = tr`Sign in to label, import or train.`, said = "", shown = "") {
    asking ||= new Promise((resolve) => {
      const key = h("input", { id: "mm-key", type: "password", autocomplete: "current-password", required: true, value: shown });
      const wrong = h("p", { class: "mm-error", role: "alert", hidden: !said }, said);
      const go = h("button", { class: "mm-button primary" }, tr`Sign in`);
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
      } }, h("h4", { id: "mm-sign-in" }, tr`Sign in`), h("p", {}, why), hub && byHub(), h("label", { class: "mm-field", for: "mm-key" }, tr`Pass phrase or invitation`), key, wrong,
        h("div", { class: "mm-row" }, go, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Cancel`)));
      const dialog = h("dialog", { class: "mm-dialog mm-signing", "aria-labelledby": "mm-sign-in", onclose: () => { dialog.remove(); asking = null; resolve(false); } }, form);
      document.body.append(dialog);
      dialog.showModal();
    });
    return asking;
  }

  // Whether one may what a role may; whoever may not is asked to sign in for it first.
  const has = (role) => !known || ROLES.indexOf(known.role) >= ROLES.indexOf(role);
  const allows = async (role, why) => has(role) || ((await signIn(why)) && has(role));
  // Beside what a role may not do it is said so: of what it is for, `data-for` names the role.
  function sayForWhom() {
    if (!known) return;
    for (const note of document.querySelectorAll("[data-for]")) {
      const { for: role, does } = note.dataset, words = tr`${tr.told(does)} for ${tr.told(roles[role].all)}.`;
      note.hidden = has(role);
      if (!note.children.length) note.append(`${words} `, link(() => signIn(tr`${words} Sign in as one.`), tr`Sign in`));
    }
  }

  async function signOut() {
    await post("mmdemo/sign-out");
    mm.outbox.become("");
    location.reload();
  }

  // An invitation is a link that is shown once. The server knows the address that it was told of; where that is one
  // of its own machine only, the owner is here by a better one.
  const OWN = ["127.0.0.1", "localhost", "[::1]"];
  const here = () => location.origin + location.pathname;
  function linkHere(made) {
    const url = new URL(made, location.href);
    return OWN.includes(url.hostname) ? here() + url.search + url.hash : url.href;
  }
  const until = ({ expires }) => new Date(`${expires}Z`).toLocaleString(tr.locale, { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });
  // For whom a link or a token is, what they may and until when.
  function showInvitation(made, uses) {
    const who = uses > 1 ? tr`Each of ${uses} people who open` : tr`Whoever opens`, once = uses > 1 ? "" : tr`once, `;
    mm.showLink(tr`Invitation link`, linkHere(made.link), [h("h4", {}, made.name ? tr`An invitation for ${made.name}` : tr`An invitation`),
      h("p", {}, tr`${who} this link may ${may(made.role)}. It can be opened ${once}until ${until(made)}. It is shown only now.`)]);
  }
  function showToken(made) {
    const curl = `curl ${here()}gradio_api/run/label_counts \\\n  -H "Authorization: Bearer TOKEN" \\\n  -H "Content-Type: application/json" -d '{"data": []}'`;
    const client = `client = Client("${here()}", headers={"Authorization": "Bearer TOKEN"})`;
    mm.showLink(tr`Token`, made.key, [h("h4", {}, made.name ? tr`A token for ${made.name}` : tr`A token`),
      h("p", {}, tr`A script that sends this token may ${may(made.role)}, until ${until(made)}. It is shown only now.`)],
    [h("p", { class: "mm-hint" }, tr`With curl, and with gradio_client:`), h("pre", { class: "mm-example" }, curl), h("pre", { class: "mm-example" }, client)]);
  }
  const DAYS = { invite: 7, make_token: 30 };  // for which a key can be used, unless told otherwise
  async function invite() {
    const field = (words, input) => h("label", { class: "mm-field" }, words, " ", input);
    const number = (value, max) => h("input", { type: "number", min: 1, max, value, required: true });
    const kind = h("select", { "aria-label": tr`For` }, h("option", { value: "invite" }, tr`people, by a link`), h("option", { value: "make_token" }, tr`a script, by a token`));
    const role = h("select", { "aria-label": tr`May` }, ROLES.slice(1).map((name) => h("option", { value: name }, may(name))));
    const name = h("input", { maxlength: 100, placeholder: tr`Their labels bear it` });
    const uses = number(1, 1000), people = field(tr`How many people`, uses), days = number(DAYS.invite, 366);
    kind.onchange = () => { people.hidden = kind.value !== "invite"; days.value = DAYS[kind.value]; };
    if (!(await confirm(tr`Who may do more than look?`, tr`Make it`, [field(tr`For`, kind), field(tr`Who has it may`, role), field(tr`Name`, name), people, field(tr`For how many days`, days)]))) return;
    const asked = { role: role.value, name: name.value, days: Number(days.value) };
    try {
      if (kind.value === "invite") showInvitation(await api("invite", { ...asked, uses: Number(uses.value) }), Number(uses.value));
      else showToken(await api("make_token", asked));
    } catch (e) { toast(e.message, true); }
  }

  // Who one is, in the header; alone at one's own machine there is nobody to be.
  let drawn = "";
  addEventListener("mm-status", ({ detail: { you } }) => {
    known = you;
    sayForWhom();
    const box = document.querySelector("[data-who]"), now = JSON.stringify(you);
    if (!box || (now === drawn && box.children.length)) return;
    drawn = now;
    hub = you.hub;
    box.hidden = you.alone;
    if (you.role === "viewer" && !you.name) return box.replaceChildren(h("button", { class: "mm-button", type: "button", onclick: () => signIn() }, tr`Sign in`));
    box.replaceChildren(h("span", { title: told(you) }, [you.name, tr.told(you.role)].filter(Boolean).join(" · ")), ...(you.role === "owner" ? [link(invite, tr`Invite`), link(() => mm.showPeople(), tr`People`)] : []), link(signOut, tr`Sign out`));
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
    const who = you.name || tr.told(you.role);
    if (somebody && (await isOwn(key))) return toast(tr`You are signed in already, as ${who}.`);
    const now = somebody ? tr` You are signed in as ${who}, and no longer by that.` : "";
    if ((asks || somebody) && !(await confirm(tr`Sign in by this link?${now}`, tr`Sign in`))) return;
    open(key).catch((e) => signIn(tr`By this link nobody is signed in now.`, e.message, key));
  }
  addEventListener("hashchange", () => openLink(true));
  openLink(false);
  Object.assign(mm, { signIn, allows, sayForWhom });
})();
