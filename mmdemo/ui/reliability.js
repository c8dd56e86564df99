/* Whether a percent is what it says: the reliability diagram. */
mm.reliability = (() => {
  const { h, svg } = mm;
  const whole = (share) => Math.round(share * 100);

  // What was said against what was right, one dot for each tenth, as large as it holds answers; the dashes are what is said.
  function diagram({ reliability, zones, mine }, old) {
    const W = 340, H = 178, L = 44, R = 12, T = 10, B = 30;
    const X = (x) => L + x * (W - L - R), Y = (y) => H - B - y * (H - T - B);
    const { bins } = reliability, most = Math.max(...bins.map((b) => b.count));
    const told = bins.map((b) => tr`${whole(b.said)} % was right ${whole(b.right)} of 100`).join(tr`, `);
    return svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": tr`Of what said: ${told}` },
      svg("rect", { class: "zone", x: X(zones.fits), y: T, width: X(1) - X(zones.fits), height: H - T - B }),
      svg("rect", { class: "zone", x: X(0), y: T, width: X(zones.does_not) - X(0), height: H - T - B }),
      ...[0, 0.5, 1].flatMap((y) => [svg("line", { class: "grid", x1: L, x2: W - R, y1: Y(y), y2: Y(y) }), svg("text", { x: L - 6, y: Y(y) + 4, "text-anchor": "end" }, `${whole(y)} %`)]),
      svg("line", { class: "ideal", x1: X(0), y1: Y(0), x2: X(1), y2: Y(1) }),
      ...(old ? [svg("polyline", { class: "line old", points: old.reliability.bins.map((b) => `${X(b.said)},${Y(b.right)}`).join(" ") })] : []),
      svg("polyline", { class: "line", points: bins.map((b) => `${X(b.said)},${Y(b.right)}`).join(" ") }),
      ...bins.map((b, i) => svg("circle", { class: i === mine ? "dot mine" : "dot", cx: X(b.said), cy: Y(b.right), r: 2.5 + 3 * Math.sqrt(b.count / most) })),
      svg("text", { x: X(0), y: H - 10 }, tr`it says 0 %`), svg("text", { x: X(1), y: H - 10, "text-anchor": "end" }, "100 %"));
  }
  // `old`: another version's diagram, drawn as a grey line behind it.
  return (found, old = null) => h("figure", { class: "mm-chart mm-reliability" }, h("figcaption", {}, h("b", {}, found.sentence)), diagram(found, old), old ? h("p", { class: "mm-fine" }, tr`Blue: new. Grey: old. Dashes: exactly as it says.`) : "", mm.facts(found.facts));
})();
