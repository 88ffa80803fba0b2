// The graph: draws the tree of blocks, folds and unfolds it, moves and zooms, searches, tells of a layer.
// A drawing is made anew only when a block is folded or unfolded; moving and zooming is one CSS transform.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("net-data").textContent);
  const { stacks, layers, rules } = data;
  const $ = (id) => document.getElementById(id);
  const view = $("view"), panel = $("panel"), search = $("search"), hits = $("hits");

  // ---- elements: text goes in as text, never as HTML
  const add = (element, attributes, ...children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") element.addEventListener("click", value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const html = (name, attributes, ...children) => add(document.createElement(name), attributes, ...children);
  const svg = (name, attributes, ...children) =>
    add(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, ...children);

  // ---- layout: the rules of netgraph/layout.py
  const { gapX, gapY, pad, head, line, text } = rules;
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const most = (values) => values.reduce((largest, value) => Math.max(largest, value), 0);
  const rowSize = (row) => {
    const sizes = row.map(size);
    return [total(sizes.map((s) => s[0])) + gapX * (sizes.length - 1), most(sizes.map((s) => s[1]))];
  };
  function size(item) {
    if (item.stack !== undefined) return [stacks[item.stack].width, stacks[item.stack].height];
    if (item.line) return [line, 0];
    if (item.rows) {
      const rows = item.rows.map(rowSize);
      return [most(rows.map((r) => r[0])), total(rows.map((r) => r[1])) + gapY * (rows.length - 1)];
    }
    if (!item.opened) return [item.width, item.height];
    const [width, height] = size(item.block);
    return [Math.max(item.width, width + 2 * pad), height + head + pad];
  }
  function layout(root) {
    const boxes = [], ways = [];
    const way = (x, y, x2, y2, path) =>
      ways.push({ x: Math.min(x, x2), y, width: Math.abs(x - x2), height: y2 - y, path });
    const connect = (exits, entries, top) => {
      const middle = top - gapY / 2;
      for (const [x, y] of exits)
        for (const [x2, y2] of entries)
          way(x, y, x2, y2, x === x2 ? `M${x} ${y}V${y2}`
            : `M${x} ${y}V${top - gapY}C${x} ${middle} ${x2} ${middle} ${x2} ${top}V${y2}`);
    };
    const place = (item, x, y, room) => {
      const [width, height] = size(item), middle = x + width / 2;
      if (item.line) {
        way(middle, y, middle, y + room, `M${middle} ${y}V${y + room}`);
        return [[[middle, y]], [[middle, y + room]]];
      }
      y += (room - height) / 2;
      if (item.rows) return placeRows(item, x, y, width);
      boxes.push({ item, x, y, width, height });
      if (!item.opened) return [[[middle, y]], [[middle, y + height]]];
      const inside = size(item.block);
      return place(item.block, x + (width - inside[0]) / 2, y + head, inside[1]);
    };
    const placeRows = (block, x, y, width) => {
      let first, above;
      block.rows.forEach((row, number) => {
        const [rowWidth, rowHeight] = rowSize(row);
        let left = x + (width - rowWidth) / 2;
        const ends = row.map((item) => {
          const placed = place(item, left, y, rowHeight);
          left += size(item)[0] + gapX;
          return placed;
        });
        if (number) for (const [i, j] of block.links[number - 1]) connect(above[i], ends[j][0], y);
        else first = ends.flatMap((end) => end[0]);
        above = ends.map((end) => end[1]);
        y += rowHeight + gapY;
      });
      return [first, above.flat()];
    };
    const [width, height] = size(root);
    place(root, pad, pad, height);
    return { width: width + 2 * pad, height: height + 2 * pad, boxes, ways };
  }

  // ---- drawing
  const edges = svg("path", { class: "edges" }), boxes = svg("g");
  const picture = svg("svg", { id: "picture" }, edges, boxes);
  view.append(picture);
  const places = new Map(); // item: its box, as drawn now
  let drawing, chosen;

  const label = (lines) => lines.map((words, i) => svg("text",
    { x: 13, y: 16 + text * i, ...(i ? {} : { class: "title" }) }, words));
  const bar = (height) => svg("rect", { class: "bar", x: 1, y: 5, width: 4, height: height - 10, rx: 2 });
  const sheet = (at, width, height) => svg("rect", { x: at, y: at, width, height, rx: 6 });
  const button = (group, act) => {
    add(group, { tabindex: 0, role: "button", on: act });
    group.addEventListener("keydown", (event) => { if (event.key === "Enter") act(); });
    return group;
  };
  function drawStack(item) {
    const stack = stacks[item.stack];
    const group = svg("g", { class: `box kind-${stack.kind} ${stack.mark ? "mark-" + stack.mark : ""}` },
      sheet(0, stack.width, stack.height), bar(stack.height), ...label(stack.lines));
    if (stack.note) group.lastChild.setAttribute("class", "note");
    return button(group, () => choose(item.stack));
  }
  function drawFold(item) {
    const closed = svg("g", {}, sheet(6, item.width, item.height), sheet(3, item.width, item.height),
      sheet(0, item.width, item.height), bar(item.height), ...label([item.title, item.caption]));
    add(closed, { class: `box ${item.mark ? "mark-" + item.mark : ""}`, "aria-expanded": false });
    return button(closed, () => toggle(item));
  }
  function drawFrame(item) {
    const group = svg("g", { class: `box frame ${item.mark ? "mark-" + item.mark : ""}`, "aria-expanded": true },
      sheet(0, 0, 0), svg("rect", { class: "head", x: 2, y: 2, rx: 4, height: head - 6 }), ...label(["− " + item.title]));
    return button(group, () => toggle(item));
  }
  function elementOf(item) {
    if (item.stack !== undefined) return (item.element ||= drawStack(item));
    return item.opened ? (item.frame ||= drawFrame(item)) : (item.element ||= drawFold(item));
  }
  function draw() {
    drawing = layout(data.tree);
    places.clear();
    for (const box of drawing.boxes) places.set(box.item, box);
    add(picture, { width: drawing.width, height: drawing.height, viewBox: `0 0 ${drawing.width} ${drawing.height}` });
  }
  // Only what is in view, or nearly, is in the document, in the order of the drawing.
  function fill(everything = false) {
    const { x, y, k } = camera, width = view.clientWidth / k, height = view.clientHeight / k;
    const left = -x / k - width / 4, top = -y / k - height / 4;
    const seen = (box) => everything || (box.x < left + 1.5 * width && box.x + box.width > left &&
      box.y < top + 1.5 * height && box.y + box.height > top);
    edges.setAttribute("d", drawing.ways.filter(seen).map((way) => way.path).join(""));
    const gone = new Set(boxes.children);
    let next = boxes.firstElementChild;
    for (const box of drawing.boxes) {
      if (!seen(box)) continue;
      const element = elementOf(box.item);
      if (element.box !== box) {
        element.box = box;
        element.setAttribute("transform", `translate(${box.x} ${box.y})`);
        if (box.item.opened) {
          add(element.children[0], { width: box.width, height: box.height });
          element.children[1].setAttribute("width", box.width - 4);
        }
      }
      gone.delete(element);
      if (element === next) next = next.nextElementSibling;
      else boxes.insertBefore(element, next);
    }
    for (const element of gone) element.remove();
  }

  // ---- folding: what was clicked stays where it is on the screen
  const folds = [], foldsOf = stacks.map(() => []), leafOf = [];
  (function walk(item, above) {
    if (item.stack !== undefined) { foldsOf[item.stack] = above; leafOf[item.stack] = item; }
    if (item.block) { folds.push(item); walk(item.block, [...above, item]); }
    for (const row of item.rows || []) for (const child of row) walk(child, above);
  })(data.tree, []);
  function toggle(item) {
    if (moved) return;
    const old = places.get(item);
    item.opened = !item.opened;
    draw();
    const now = places.get(item);
    camera.x += (old.x + old.width / 2 - now.x - now.width / 2) * camera.k;
    camera.y += (old.y - now.y) * camera.k;
    show();
    elementOf(item).focus({ preventScroll: true });
  }
  function foldAll(opened) {
    for (const fold of folds) fold.opened = opened;
    draw();
    start();
  }

  // ---- moving and zooming
  const camera = { x: 0, y: 0, k: 1 };
  let asked = 0;
  const show = () => {
    asked = 0;
    picture.style.transform = `translate(${camera.x}px, ${camera.y}px) scale(${camera.k})`;
    picture.classList.toggle("far", camera.k < 0.3);
    fill();
  };
  const move = () => { asked ||= requestAnimationFrame(show); };
  function zoom(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
    const k = Math.min(4, Math.max(0.03, camera.k * factor)), by = k / camera.k;
    camera.x = x - (x - camera.x) * by;
    camera.y = y - (y - camera.y) * by;
    camera.k = k;
    move();
  }
  function look(k, top) {
    camera.k = k;
    camera.x = (view.clientWidth - drawing.width * k) / 2;
    camera.y = top ?? (view.clientHeight - drawing.height * k) / 2;
    move();
  }
  const fit = () => look(Math.min(1.5, view.clientWidth / drawing.width, view.clientHeight / drawing.height));
  const start = () => look(Math.max(0.5, Math.min(1, view.clientWidth / drawing.width)), 0);

  const fingers = new Map();
  let moved = false;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  const at = (event) => {
    const frame = view.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  view.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!fingers.size) moved = false;
    fingers.set(event.pointerId, { ...at(event), from: at(event) });
  });
  addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const point = at(event), before = fingers.size === 2 && spread();
    if (Math.hypot(point.x - finger.from.x, point.y - finger.from.y) > 4) moved = true;
    if (!moved) return;
    view.classList.add("dragged");
    if (fingers.size === 1) {
      camera.x += point.x - finger.x;
      camera.y += point.y - finger.y;
      move();
    }
    Object.assign(finger, point);
    if (before) {
      const after = spread();
      camera.x += after.x - before.x;
      camera.y += after.y - before.y;
      zoom(after.length / before.length, after.x, after.y);
    }
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    if (!fingers.size) view.classList.remove("dragged");
  };
  addEventListener("pointerup", lift);
  addEventListener("pointercancel", lift);
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = at(event), step = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    zoom(Math.exp(-Math.max(-120, Math.min(120, step)) / 300), x, y);
  }, { passive: false });
  view.addEventListener("focusin", (event) => { // with the keyboard, what has the focus comes into view
    view.scrollTo(0, 0);
    const box = event.target.matches(":focus-visible") && event.target.getBoundingClientRect();
    const frame = view.getBoundingClientRect();
    if (!box || (box.top >= frame.top && box.bottom <= frame.bottom && box.left >= frame.left && box.right <= frame.right)) return;
    camera.x += frame.left + frame.width / 2 - (box.left + box.right) / 2;
    camera.y += frame.top + frame.height / 2 - (box.top + box.bottom) / 2;
    move();
  });

  // ---- details
  function choose(number, layer) {
    if (moved) return;
    const stack = stacks[number];
    chosen?.classList.remove("chosen");
    chosen = elementOf(leafOf[number]);
    chosen.classList.add("chosen");
    const parts = stack.layers.map((index, place) => describe(layers[index], index, !place));
    panel.replaceChildren(...parts);
    panel.scrollTop = 0;
    const index = stack.layers.indexOf(layer);
    if (index > 0) panel.scrollTop = parts[index].offsetTop - panel.offsetTop;
  }
  function visit(number, layer) {
    moved = false;
    const closed = foldsOf[number].filter((fold) => !fold.opened);
    for (const fold of closed) fold.opened = true;
    if (closed.length) draw();
    choose(number, layer);
    const box = places.get(leafOf[number]);
    camera.k = Math.max(camera.k, 0.7);
    // In the middle, but not so that the drawing's edge is within the view.
    const middle = (room, whole, at) => (whole < room ? (room - whole) / 2
      : Math.min(0, Math.max(room - whole, room / 2 - at)));
    camera.x = middle(view.clientWidth, drawing.width * camera.k, (box.x + box.width / 2) * camera.k);
    camera.y = middle(view.clientHeight, drawing.height * camera.k, (box.y + box.height / 2) * camera.k);
    move();
  }
  const stackOf = [];
  stacks.forEach((stack, number) => { for (const index of stack.layers) stackOf[index] = number; });
  const count = (value) => value.toLocaleString("en");
  const pair = ([rows, columns]) => `${rows} × ${columns}`;

  function describe(layer, index, main) {
    const list = html("dl");
    const row = (name, ...values) => list.append(html("dt", {}, name), html("dd", {}, ...values));
    row("type", layer.type);
    for (const [name, value] of layer.rows || []) row(name, value);
    if (layer.bottoms.length) row("bottom", ...layer.bottoms.map((name) => blob(name, index, -1)));
    if (layer.tops.length) row("top", ...layer.tops.flatMap(([name, shape]) => [blob(name, index, 1), shape || "", html("br")]));
    if (layer.cost) {
      const { parameters, shapes, all, inside, field, stride, memory } = layer.cost;
      if (parameters) row("parameters", `${count(parameters)} (${shapes.join(", ")})`);
      if (all) row("multiply-adds", `${count(all)}, ${((100 * inside) / all).toFixed(1)} % of them inside the image`);
      row("receptive field", `${pair(field)} pixels`);
      row("stride", `${pair(stride.map((s) => +s.toPrecision(4)))} pixels`);
      row("memory", `${(memory / 1e6).toFixed(2)} MB`);
    }
    const section = html("section", {}, html("h2", {}, layer.name), list);
    if (layer.link) section.append(html("p", {}, html("a", { href: layer.link }, "compared in full")));
    if (main && layer.cost && data.photo && Math.max(...layer.cost.field) > 1) section.append(photo(layer.cost.field));
    if (layer.text) section.append(html("pre", {}, layer.text));
    return section;
  }
  // A blob's name leads up to the layer it comes from, or down to the first one that reads it.
  function blob(name, index, way) {
    for (let i = index + way; i >= 0 && i < layers.length; i += way) {
      const names = way < 0 ? layers[i].tops.map((top) => top[0]) : layers[i].bottoms;
      if (names.includes(name))
        return html("button", { type: "button", title: layers[i].name, on: () => visit(stackOf[i], i) }, name);
    }
    return name + " ";
  }
  function photo([height, width]) {
    const [rows, columns] = data.photo.input, [h, w] = data.photo.size;
    const scale = Math.min(1, rows / h, columns / w), stroke = Math.max(rows, columns) / 150;
    const under = svg("rect", { class: "field under", width, height, "stroke-width": 2 * stroke });
    const over = svg("rect", { class: "field", width, height, "stroke-width": stroke });
    const put = (x, y) => [under, over].forEach((rect) => add(rect, { x: x - width / 2, y: y - height / 2 }));
    const image = svg("svg", { class: "photo", viewBox: `0 0 ${columns} ${rows}`, role: "img", "aria-label": "receptive field on a photo" },
      svg("image", { href: data.photo.uri, width: w * scale, height: h * scale }), under, over);
    image.addEventListener("click", (event) => {
      const frame = image.getBoundingClientRect();
      put(((event.clientX - frame.left) * columns) / frame.width, ((event.clientY - frame.top) * rows) / frame.height);
    });
    put((w * scale) / 2, (h * scale) / 2);
    const larger = height >= 2 * rows && width >= 2 * columns;
    return html("figure", {}, image, html("figcaption", { class: "hint" },
      `What one value looks at, in an input of ${rows} × ${columns}` + (larger ? ": all of it, from every place." : "; click the photo to put it elsewhere.")));
  }

  // ---- search
  const words = layers.map((layer) => [layer.name, layer.type, ...layer.tops.map((top) => top[0])].join(" ").toLowerCase());
  function find() {
    const asked = search.value.trim().toLowerCase();
    if (!asked) return hits.replaceChildren();
    const found = [];
    words.forEach((text, index) => { if (text.includes(asked)) found.push(index); });
    found.sort((a, b) => (layers[b].name.toLowerCase() === asked) - (layers[a].name.toLowerCase() === asked));
    const go = (index) => () => { hits.replaceChildren(); visit(stackOf[index], index); };
    const shown = 40;
    hits.replaceChildren(
      ...found.slice(0, shown).map((index) => html("button", { type: "button", on: go(index) },
        layers[index].name, " ", html("small", {}, layers[index].type))),
      ...(found.length > shown ? [html("p", {}, `and ${found.length - shown} more`)] : []),
      ...(found.length ? [] : [html("p", {}, "nothing found")]));
  }
  search.addEventListener("input", find);
  search.addEventListener("focus", find);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") hits.querySelector("button")?.click();
    if (event.key === "ArrowDown") { hits.querySelector("button")?.focus(); event.preventDefault(); }
  });
  hits.addEventListener("keydown", (event) => {
    const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (next) { (event.target[next] || search).focus(); event.preventDefault(); }
  });
  addEventListener("pointerdown", (event) => { if (!event.target.closest(".search")) hits.replaceChildren(); });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hits.replaceChildren(); search.blur(); }
    if (event.target.closest("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { search.focus(); event.preventDefault(); }
    if (event.key === "+") zoom(1.25);
    if (event.key === "-") zoom(0.8);
    if (event.key === "0") fit();
  });

  for (const [id, act] of Object.entries({
    in: () => zoom(1.25), out: () => zoom(0.8), fit,
    fold: () => foldAll(false), unfold: () => foldAll(true),
  })) $(id).addEventListener("click", act);
  addEventListener("resize", move);
  addEventListener("beforeprint", () => fill(true));
  addEventListener("afterprint", () => fill());
  draw();
  start();
  if (data.start !== null) visit(stackOf[data.start], data.start);
})();
