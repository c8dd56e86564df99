/* The page's words in the language that is chosen: tr`Label ${n} saved on disk` looks the English sentence up in the
table of that language (words/CODE.json), and without one is the sentence itself. What people typed never goes through it.

A value that is a node, or several, makes of it what mm.h takes: a list in the language's own order. */
window.tr = (() => {
  const { code = "en", page = {}, server = {}, readings = "", space = " " } = window.mmWords || {};  // space: between sentences
  const rules = new Intl.PluralRules(code), isNode = (value) => Array.isArray(value) || value instanceof Node;
  // A sentence has one form, or one for each of the language's numbers: {"one": …, "other": …}.
  const formOf = (said, values) => (typeof said === "object" ? said[rules.select(Number(values.find((v) => v !== "" && Number.isFinite(Number(v)))))] ?? said.other : said);
  function fill(said, values) {
    const parts = said.split(/\{(\d+)\}/).map((part, i) => (i % 2 ? values[part] : part));
    return values.some(isNode) ? parts.flat().filter((part) => part !== "") : parts.join("");
  }
  const keyOf = (strings) => strings.reduce((all, part, i) => `${all}{${i - 1}}${part}`);
  function tr(strings, ...values) {
    const key = keyOf(strings);
    return fill(formOf(page[key] ?? key, values), values.map((value) => (isNode(value) ? value : String(value))));
  }

  // What the server says, in English: its sentences stand in the table with {0}, {1} where it puts something in.
  // One that follows another begins with a space, and is found without.
  const sentences = Object.entries(server).map(([key, said]) => [key.trim(), typeof said === "string" ? said.trim() : said]);
  const words = { ...Object.fromEntries(sentences), ...page }, known = new Map();
  let patterns = null;
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  function compiled() {
    const rest = ([key]) => key.replace(/\{\d+\}/g, "");
    return sentences.filter(([key]) => key.includes("{0}")).sort((a, b) => rest(b).length - rest(a).length).map(([key, said]) => {
      const order = [], parts = key.split(/\{(\d+)\}/);
      const source = parts.map((part, i) => { if (i % 2 === 0) return escaped(part); order.push([Number(part), /[“"']$/.test(parts[i - 1])]); return "([^]*?)"; }).join("");
      return { length: rest([key]).length, longest: parts.filter((_, i) => i % 2 === 0).sort((a, b) => b.length - a.length)[0], is: new RegExp(`^${source}$`), order, said };
    });
  }
  const SURE = 20;  // characters of a pattern; a shorter one may be in any sentence
  function matched(text, least = 0) {
    if (words[text] !== undefined) return fill(formOf(words[text], []), []);
    const [, amount, things] = /^([-+\d.,]+) (.+)$/.exec(text) || [];
    if (words[things] !== undefined) return `${amount} ${fill(formOf(words[things], [amount]), [])}`;
    patterns ??= compiled();
    for (const { length, longest, is, order, said } of patterns) {
      if (length < least || (length < SURE / 2 && text.length > 3 * SURE)) break;  // the shortest come last
      const found = text.includes(longest) && is.exec(text);
      if (!found) continue;
      const values = [];
      order.forEach(([at, quoted], i) => { values[at] = quoted ? found[i + 1] : told(found[i + 1]); });  // what is quoted is somebody's own
      return fill(formOf(said, values), values);
    }
    return null;
  }
  function told(text) {
    if (!window.mmWords || typeof text !== "string" || !text.trim()) return text;
    if (known.has(text)) return known.get(text);
    // As a whole where that is surely meant, else sentence by sentence.
    const parts = text.split(/(?<=[.?!]) (?=[A-Z0-9“])/), whole = matched(text, SURE);
    const said = whole ?? (parts.length > 1 ? parts.map(told).join(space) : matched(text) ?? text);
    if (known.size > 2000) known.clear();
    known.set(text, said);
    return said;
  }

  // An answer of the server, whose own sentences stand under these names; under no other, where people's texts are.
  const SAID = new Set(["sentence", "note", "notes", "doubt", "message", "about", "facts", "missing", "warnings", "working", "reason", "phase", "leaves_out", "like_this", "no_curve", "advice", "error", "damaged", "closed"]);
  const heard = (value) => (typeof value === "string" ? told(value) : Array.isArray(value) ? value.map(heard) : value && typeof value === "object" ? answer(value) : value);
  function answer(value) {
    if (!window.mmWords || !value || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(answer);
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, SAID.has(name) ? heard(one) : answer(one)]));
  }

  // A figure that stands before what the server says of it.
  const figure = (text) => text.replace(/^([\d.]+ %) (.*)$/, (_, share, of) => `${share} ${told(of)}`);

  // Some of a thing: English has two forms, and a table says what stands for `{0} things`.
  const plurals = new Map();  // of a word that is translated already: the English one
  function many(n, one, more) {
    const said = page[`{0} ${plurals.get(more) || more}`];
    return said === undefined ? `${n} ${Number(n) === 1 ? one : more}` : fill(formOf(said, [n]), [String(n)]);
  }
  // The words of a modality, as a record of the server names it.
  function named(modality) {
    const said = { ...modality, title: told(modality.title), noun: told(modality.noun), plural: told(modality.plural) };
    plurals.set(said.plural, modality.plural).set(modality.plural, modality.plural);
    return said;
  }

  // The words of a template: its text, and what is read of its parts.
  const READ = ["aria-label", "title", "placeholder", "alt"];
  const plain = (text) => text.trim().replace(/\s+/g, " ");
  function translate(root) {
    if (!window.mmWords) return;
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const said = node.parentNode.closest("code") ? undefined : page[plain(node.data)];
      if (said !== undefined) node.data = node.data.replace(/^(\s*)[^]*?(\s*)$/, (_, before, after) => `${before}${said}${after}`);
    }
    for (const name of READ) for (const node of root.querySelectorAll(`[${name}]`)) {
      const key = node.getAttribute(name);
      node.setAttribute(name, page[plain(key)] ?? page[key] ?? key);
    }
  }

  // Which language it is: asked for in the link, chosen once in this browser, or the browser's own.
  function choose(language) {
    try { localStorage.setItem("mmdemo.language", language); } catch { /* a browser that keeps nothing: the link says it */ }
    keepTyped();
    const to = new URL(location.href);
    to.searchParams.delete("lang");
    if (to.href === location.href) location.reload(); else location.replace(to);
  }
  // What was typed and not asked yet stands in its field again when the page has come back in the other language.
  const FIELDS = "textarea, input[type=text], input[type=search], input:not([type])", TYPED = "mmdemo.typed";
  const fieldsOf = (widget) => [...widget.querySelectorAll(FIELDS)];
  function keepTyped() {
    const typed = [...document.querySelectorAll("[id^=mm-]")].flatMap((widget) => fieldsOf(widget).map((field, at) => [widget.id, at, field.value])).filter(([, , value]) => value);
    try { sessionStorage.setItem(TYPED, JSON.stringify(typed)); } catch { /* as above */ }
  }
  let typed = [];
  try { typed = JSON.parse(sessionStorage.getItem(TYPED) || "[]"); sessionStorage.removeItem(TYPED); } catch { /* as above */ }
  function refill(element) {
    const widget = element.closest("[id^=mm-]");
    for (const [id, at, value] of typed) {
      const field = widget?.id === id && fieldsOf(widget)[at];
      if (field && !field.value) { field.value = value; field.dispatchEvent(new Event("input", { bubbles: true })); }
    }
    typed = typed.filter(([id]) => id !== widget?.id);
  }

  document.documentElement.lang = code;
  return Object.assign(tr, { code, locale: window.mmWords && code, space, told, answer, figure, many, named, translate, choose, refill, readings, languages: window.mmLanguages || {} });
})();
