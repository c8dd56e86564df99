/* Whom the owner has let in, in a dialog: invitations, tokens and who is signed in, each taken back there. */
(() => {
  const { h, api, confirm, heads, toast } = mm;
  // Today is told by its hours: in a lesson one sees who is there.
  function when(utc) {
    if (!utc) return tr`never`;
    const at = new Date(`${utc}Z`), today = new Date(), year = at.getFullYear() === today.getFullYear() ? undefined : "numeric";
    if (at.toDateString() === today.toDateString()) return at.toLocaleTimeString(tr.locale, { hour: "2-digit", minute: "2-digit" });
    return at.toLocaleDateString(tr.locale, { day: "numeric", month: "short", year });
  }
  const cell = (label, ...what) => h("td", { "data-label": label }, ...what);
  const table = (head, rows) => h("table", { class: "mm-table" }, head, h("tbody", {}, rows));
  const end = (words, label, onclick) => h("button", { class: "mm-link", type: "button", "aria-label": label, onclick }, words);

  function grantRow(grant, again) {
    const { people, state, id } = grant, kind = tr.told(grant.kind), who = grant.name || tr`no name`, several = grant.used + grant.uses_left > 1;
    const uses = grant.kind === "token" || !several ? kind : tr`${kind}, ${grant.used} of ${grant.used + grant.uses_left} used`;
    const signedOut = people.length && tr`${some(people)} ${people.length === 1 ? "is" : "are"} signed out.`;
    const ended = grant.kind === "token" ? tr`The token opens nothing any more.` : signedOut || tr`The invitation opens nothing any more.`;
    const asks = grant.kind === "token" ? grant.last_used && tr`Revoke this token? Scripts that send it are refused.` : signedOut && tr`Revoke this invitation? ${signedOut}`;
    const revoke = async () => { if (!asks || (await confirm(asks, tr`Revoke`))) await again(() => api("revoke", { grant: id }), ended); };
    const stands = people.length > 0 || state === "open", now = people.length ? tr`${some(people)} signed in ` : state === "open" ? "" : `${tr.told(state)} `;
    return h("tr", { class: stands ? null : "mm-faint" }, cell(tr`Who`, who), cell(tr`May`, tr.told(grant.role)), cell(tr`Key`, `${id}: ${uses}`),
      cell(tr`Made`, when(grant.made)), cell(tr`Last used`, when(grant.last_used)), cell(tr`Ends`, when(grant.expires)),
      cell(tr`State`, now, stands ? end(tr`Revoke`, tr`Revoke ${kind} ${id}`, revoke) : ""));
  }
  const some = (people) => (people.length > 2 ? tr`${people.length} people` : people.map((name) => name || tr`no name`).join(tr` and `));
  function sessionRow(session, again) {
    const who = session.name || (session.role === "owner" ? tr`the owner` : tr`no name`);
    const out = () => again(() => api("end_session", { session: session.id }), tr`${session.name || tr.told(session.role)} is signed out.`);
    return h("tr", {}, cell(tr`Who`, who), cell(tr`May`, tr.told(session.role)), cell(tr`By`, tr.told(session.by)),
      cell(tr`Since`, when(session.made)), cell(tr`Last used`, when(session.last_used)), cell(tr`Ends`, when(session.expires)),
      cell(tr`State`, session.own ? tr`this browser` : end(tr`Sign out`, tr`Sign out session ${session.id}`, out)));
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
        h("h4", {}, tr`Signed in`), sessions.length ? table(heads(tr`Who`, tr`May`, tr`By`, tr`Since`, tr`Last used`, tr`Ends`, ""), sessions.map((one) => sessionRow(one, again))) : h("p", { class: "mm-faint" }, tr`Nobody.`),
        h("h4", {}, tr`Invitations and tokens`), grants.length ? table(heads(tr`Who`, tr`May`, tr`Key`, tr`Made`, tr`Last used`, tr`Ends`, ""), grants.map((one) => grantRow(one, again))) : h("p", { class: "mm-faint" }, tr`None yet.`));
    }
    try { await draw(); } catch (e) { return toast(e.message, true); }
    const dialog = h("dialog", { class: "mm-dialog mm-people", "aria-label": tr`People` }, box,
      h("div", { class: "mm-row" }, h("button", { class: "mm-button", type: "button", onclick: () => dialog.close() }, tr`Close`)));
    const fit = () => dialog.classList.toggle("narrow", innerWidth < 760);
    addEventListener("resize", fit);
    fit();
    dialog.addEventListener("close", () => { removeEventListener("resize", fit); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  }
  mm.showPeople = showPeople;
})();
