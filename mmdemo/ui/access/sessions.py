"""The session of a browser: a signed cookie, which no script of a page can read."""

from __future__ import annotations

from mmdemo.service.access import NOTHING_KNOWN, REMEMBERED_S, Access, Admitted, Browser, Session

PATH = "/"


class Cookies:
    """Reads and writes the cookie of a workspace.

    Args:
        access: signs it.
        on_space: a Space shows the page in a frame of another site, where a cookie must be told so.
    """

    def __init__(self, access: Access, on_space: bool) -> None:
        self._access = access
        self._on_space = on_space
        self._name = f"mmdemo-{access.name}"

    def session(self, header: str) -> Session | None:
        """The session that a Cookie header brings; None: none. Whether it still holds is to be asked."""
        found = self._found(header)
        return self._access.session(found) if found else None

    def browser(self, header: str) -> Browser:
        """What the browser is known by that brings a Cookie header, also where its session is over."""
        return self._access.browser(self._found(header))

    def _found(self, header: str) -> str:
        """The text of the cookie in a Cookie header; empty: it has none. The values that are written here
        need no quotes, and nothing else is read: what Python does with quotes takes the square of their
        number (CVE-2024-7592).
        """
        for part in header.split(";"):
            name, _, value = part.partition("=")
            if name.strip() == self._name:
                return value.strip()
        return ""

    def header(self, session: str, who: Admitted, secure: bool, browser: Browser = NOTHING_KNOWN) -> str:
        """A Set-Cookie header.

        Args:
            session: its id.
            who: whose it is.
            secure: whether it came over https, and goes back by nothing else.
            browser: what this one is known by, also when the session is over.
        """
        where = "; SameSite=None; Secure; Partitioned" if self._on_space else "; SameSite=Lax"
        if secure and not self._on_space:
            where += "; Secure"
        value = self._access.text_of(session, who, browser)
        return f"{self._name}={value}; Path={PATH}; Max-Age={REMEMBERED_S:.0f}; HttpOnly{where}"
