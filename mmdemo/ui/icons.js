/* Small drawings beside words: strokes in the colour of the text, on a field of 20 by 20. */
(() => {
  const { svg } = mm;
  const circle = (cx, cy, r) => ["circle", { cx, cy, r }], path = (d, more = {}) => ["path", { d, ...more }];
  const box = (x, y, width, height, rx) => ["rect", { x, y, width, height, rx }];
  const DRAWN = {
    image: [box(3, 4, 14, 12, 2), circle(7.2, 8.2, 1.2), path("M4 14.5l4-3.5 2.5 2 3-3 3 3")],
    speech: [box(7.5, 3, 5, 9, 2.5), path("M4.8 9.5a5.2 5.2 0 0 0 10.4 0M10 14.7V17")],
    video: [box(3, 5, 10, 10, 2), path("M13 8.5l4-2v7l-4-2")],
    label: [path("M3.5 9.5v-5a1 1 0 0 1 1-1h5l7 7-6 6z"), circle(7, 7, 0.9)],
    tab: [box(3.5, 4, 13, 12, 2), path("M3.5 8h13")],
    map: [path("M3.5 5.5l4.5-2 4.500 2 4-2v11l-4 2-4.500-2-4.500 2zM8 3.500v11M12.500 5.500v11")],
    lasso: [path("M10 4c4 0 7 1.9 7 4.4s-3 4.4-7 4.4c-1 0-2-.1-2.9-.3M7 12.4C4.6 11.7 3 10.2 3 8.4 3 5.900 6 4 10 4"), path("M7 12.500a1.500 1.500 0 1 0-2.500 1.200c.8.8.8 1.800.2 3")],
    more: [path("M4.5 10h.01M10 10h.01M15.5 10h.01", { "stroke-width": 2.6 })],
    share: [path("M10 12.5v-9m0 0L6.8 6.6M10 3.5l3.2 3.1M4 10.5v5a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1v-5")],
    language: [circle(10, 10, 7), path("M3 10h14M10 3c2.6 2.4 2.6 11.6 0 14M10 3c-2.600 2.400-2.600 11.600 0 14")],
    down: [path("M5.5 8l4.5 4.5L14.5 8")],
    warn: [path("M10 3.8l7 12.2H3z"), path("M10 8.5V12M10 14.1v.1")],
    good: [path("M4.5 10.5l3.8 3.8 7.2-8.3")],
    bad: [path("M5.5 5.5l9 9m0-9l-9 9")],
    neutral: [path("M7.4 7.6a2.7 2.7 0 1 1 3.9 2.4c-.9.5-1.3 1-1.3 2M10 15.2v.1")],
    edit: [path("M4 16l.8-3.4L13.4 4l2.6 2.6-8.6 8.6z")],
    skip: [path("M4.5 5l6 5-6 5zM11 5l5 5-5 5z")],
    undo: [path("M7.5 5L4 8.5 7.5 12M4.5 8.5H12a4 4 0 0 1 0 8H8")],
    play: [path("M6 4.5l9 5.5-9 5.5z")],
    pause: [path("M7 5v10M13 5v10", { "stroke-width": 2.6 })],
    folder: [path("M3 6a1.500 1.500 0 0 1 1.500-1.500H8l1.800 2h5.700A1.500 1.500 0 0 1 17 8v6.500a1.500 1.500 0 0 1-1.500 1.500h-11A1.500 1.500 0 0 1 3 14.500z")],
    backup: [path("M4 7.500h12v8a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM3 4h14v3.500H3zM8 10.500h4")],
    download: [path("M10 3.5v9m0 0L6.5 9M10 12.5L13.5 9M4 16.5h12")],
    minus: [path("M5 10h10")],
    plus: [path("M10 5v10M5 10h10")],
    back: [path("M12 5l-5 5 5 5")],
    on: [path("M8 5l5 5-5 5")],
    slow: [path("M10 6v4.2l2.8 1.8M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14")],
    words: [path("M3 6h14M3 10h10M3 14h7")],
    upload: [path("M10 16V4.5m0 0L5.5 9M10 4.5L14.5 9")],
    camera: [path("M3 7.5a1.5 1.5 0 0 1 1.5-1.5H6l1.3-2h5.4L14 6h1.5A1.5 1.5 0 0 1 17 7.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5z"), circle(10, 10.8, 2.8)],
    hide: [path("M3 10s2.6-4.5 7-4.5S17 10 17 10s-2.600 4.500-7 4.500S3 10 3 10zM4 16L16 4")],
    remove: [path("M4 6h12M8 6V4h4v2M5.500 6l.8 10h7.400l.8-10M8.500 9v4.500M11.500 9v4.500")],
    filter: [path("M4 6h7m4 0h1M4 14h1m4 0h7"), circle(13, 6, 2), circle(7, 14, 2)],
    search: [circle(9, 9, 5.2), path("M13 13l3.8 3.8")],
    right: [path("M8 5.5l4.5 4.5L8 14.5")],
    same: [path("M4 8c2-2 4-2 6 0s4 2 6 0M4 13c2-2 4-2 6 0s4 2 6 0")],
    star: [path("M10 3l1.7 5.3L17 10l-5.3 1.7L10 17l-1.7-5.3L3 10l5.3-1.7z")],
  };
  mm.icon = (name) =>
    svg("svg", { class: "mm-icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, ...(DRAWN[name] || DRAWN.tab).map(([tag, attributes]) => svg(tag, attributes)));
})();
