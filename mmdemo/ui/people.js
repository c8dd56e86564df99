/* Whom the owner has let in, in a dialog: invitations, tokens and who is signed in, each taken back by one click. */
(() => {
  const { h, api, toast } = mm;
  function day(utc) {
    if (!utc) return "never";
    const at = new Date(`${utc}Z`), year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year });
  }
  const cell = (label, ...what) => h("td", { "data-label": label }, ...what);
  const heads = (...words) => h("thead", {}, h("tr", {}, words.map((word) => h("th", { scope: "col" }, word))));
  const table = (head, rows) => h("table", { class: "mm-table" }, head, h("tbody", {}, rows));
  const end = (words, label, onclick) => h("button", { class: "mm-link", type: "button", "aria-label": label, onclick }, words);

  function grantRow(grant, again) {
    const who = grant.name || "no name", open = grant.state === "open";
    const uses = grant.uses_left === null ? grant.kind : `${grant.kind}, ${grant.uses_left} left`;
    const ended = grant.kind === "token" ? "The token opens nothing any more." : grant.used ? "Whoever was let in by this invitation is signed out." : "This invitation can no longer be opened.";
    const revoke = () => again(api("revoke", { grant: grant.id }), ended);
    return h("tr", { class: open ? null : "mm-faint" }, cell("Who", who), cell("May", grant.role), cell("Key", `${grant.id}: ${uses}`),
      cell("Made", day(grant.made)), cell("Last used", day(grant.last_used)), cell("Ends", day(grant.expires)),
      cell("State", grant.state === "revoked" ? "revoked" : h("span", {}, open ? "" : "over ", end("Revoke", `Revoke ${grant.kind} ${grant.id}`, revoke))));
  }
  function sessionRow(session, again) {
    const who = session.name || session.role;
    const out = () => again(api("end_session", { session: session.id }), `${who} is signed out.`);
    return h("tr", {}, cell("Who", session.name || "no name"), cell("May", session.role), cell("By", session.by),
      cell("Since", day(session.made)), cell("Last used", day(session.last_used)), cell("Ends", day(session.expires)),
      cell("State", session.own ? "this browser" : end("Sign out", `Sign out session ${session.id}`, out)));
  }

  async function showPeople() {
    const box = h("div");
    const again = async (work, words) => {
      try { await work; toast(words); } catch (e) { toast(e.message, true); }
      await draw();
    };
    async function draw() {
      const [{ grants }, { sessions }] = await Promise.all([api("grants"), api("sessions")]);
      box.replaceChildren(
        h("h4", {}, "Signed in"), sessions.length ? table(heads("Who", "May", "By", "Since", "Last used", "Ends", ""), sessions.map((one) => sessionRow(one, again))) : h("p", { class: "mm-faint" }, "Nobody."),
        h("h4", {}, "Invitations and tokens"), grants.length ? table(heads("Who", "May", "Key", "Made", "Last used", "Ends", ""), grants.map((one) => grantRow(one, again))) : h("p", { class: "mm-faint" }, "None yet."),
        h("p", { class: "mm-faint" }, "Revoking an invitation signs out everybody whom it let in."));
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
