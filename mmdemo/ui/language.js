/* Which language the page speaks: what the link asks for (?lang=), what was chosen in this browser, or what the browser asks
for. English is what the page is written in; the table of another one is loaded here, before anything else is done. */
(() => {
  const known = window.mmLanguages, codes = Object.keys(known);
  const first = (code) => code.split("-")[0];
  const like = (wish) => codes.find((code) => code === wish) || codes.find((code) => first(code) === first(wish));
  let kept = "";
  try { kept = localStorage.getItem("mmdemo.language") || ""; } catch { /* a browser that keeps nothing */ }
  const wishes = [new URLSearchParams(location.search).get("lang"), kept, ...navigator.languages].filter(Boolean);
  const code = wishes.map(like).find(Boolean) || "en", { src } = known[code];
  // Gradio speaks what the browser asks for.
  const own = (owner, name, how) => Object.defineProperty(owner, name, { configurable: true, ...how });
  if (first(navigator.language) !== first(code)) own(navigator, "language", { value: code });
  if (!src) return;
  document.write(`<script src="${src}"></` + "script>");
  // The row of tabs is Gradio's: it finds their titles in the page's settings.
  let settings;
  own(window, "gradio_config", { get: () => settings, set(given) {
    settings = given;
    for (const { type, props } of given?.components || []) if (type === "tabitem") props.label = window.mmWords?.page[props.label] ?? props.label;
  } });
})();
