/* Whom the owner has let in, in a dialog: invitations, tokens and who is signed in, each taken back there. */
(() => {
  const { h, api, confirm, heads, toast } = mm;
  // Today is told by its hours: in a lesson one sees who is there.
  function when(utc) {
    if (!utc) return "never";
    const at = new Date(`${utc}Z`), today = new Date(), year = at.getFullYear() === today.getFullYear() ? undefined : "numeric";
    if (at.toDateString() === today.toDateString()) return at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
    return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year });
  }
  const cell = (label, ...what) => h("td", { "data-label": label }, ...what);
  const table = (head, rows) => h("table", { class: "mm-table" }, head, h("tbody", {}, rows));
  const end = (words, label, onclick) => h("button", { class: "mm-link", type: "button", "aria-label": label, onclick }, words);

  function grantRow(grant, again) {
    const { people, kind, state, id } = grant, who = grant.name || "no name", several = grant.used + grant.uses_left > 1;
    const uses = kind === "token" || !several ? kind : `${kind}, ${grant.used} of ${grant.used + grant.uses_left} used`;
    const signedOut = people.length && `${some(people)} ${people.length === 1 ? "is" : "are"} signed out.`;
    const ended = kind === "token" ? "The token opens nothing any more." : signedOut || "The invitation opens nothing any more.";
    const asks = kind === "token" ? grant.last_used && "Revoke this token? Scripts that send it are refused." : signedOut && `Revoke this invitation? ${signedOut}`;
    const revoke = async () => { if (!asks || (await confirm(asks, "Revoke"))) await again(() => api("revoke", { grant: id }), ended); };
    const stands = people.length > 0 || state === "open", now = people.length ? `${some(people)} signed in ` : state === "open" ? "" : `${state} `;
    return h("tr", { class: stands ? null : "mm-faint" }, cell("Who", who), cell("May", grant.role), cell("Key", `${id}: ${uses}`),
      cell("Made", when(grant.made)), cell("Last used", when(grant.last_used)), cell("Ends", when(grant.expires)),
      cell("State", now, stands ? end("Revoke", `Revoke ${kind} ${id}`, revoke) : ""));
  }
  const some = (people) => (people.length > 2 ? `${people.length} people` : people.map((name) => name || "no name").join(" and "));
  function sessionRow(session, again) {
    const who = session.name || (session.role === "owner" ? "the owner" : "no name");
    const out = () => again(() => api("end_session", { session: session.id }), `${session.name || session.role} is signed out.`);
    return h("tr", {}, cell("Who", who), cell("May", session.role), cell("By", session.by),
      cell("Since", when(session.made)), cell("Last used", when(session.last_used)), cell("Ends", when(session.expires)),
      cell("State", session.own ? "this browser" : end("Sign out", `Sign out session ${session.id}`, out)));
  }

  async function showPeople() {
    const box = h("div");
    const again = async (work, words) => {
      try { await work(); toast(words); } catch (e) { toast(e.message, true); }
      await draw();
    };
    async function draw() {
      const [{ grants }, { sessions }] = await Promise.all([api("grants"), api("sessions")]);
      box.replaceChildren(
        h("h4", {}, "Signed in"), sessions.length ? table(heads("Who", "May", "By", "Since", "Last used", "Ends", ""), sessions.map((one) => sessionRow(one, again))) : h("p", { class: "mm-faint" }, "Nobody."),
        h("h4", {}, "Invitations and tokens"), grants.length ? table(heads("Who", "May", "Key", "Made", "Last used", "Ends", ""), grants.map((one) => grantRow(one, again))) : h("p", { class: "mm-faint" }, "None yet."));
    }
    try { await draw(); } catch (e) { return toast(e.message, true); }
    const dialog = h("dialog", { class: "mm-dialog mm-people", "aria-label": "People" }, box,
      h("div", { class: "mm-row" }, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, "Close")));
    const fit = () => dialog.classList.toggle("narrow", innerWidth < 760);
    addEventListener("resize", fit);
    fit();
    dialog.addEventListener("close", () => { removeEventListener("resize", fit); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  }
  mm.showPeople = showPeople;
})();
