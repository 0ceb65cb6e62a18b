// Linked views of a protein: a pair that is pointed at in a map is marked in all maps, in the sequence and in 3D.
"use strict";
(() => {
  const source = document.getElementById("linked-data");
  if (!source) return;
  const { make, save, saveText, button } = window.foldgraft;
  const root = document.getElementById("linked");
  const proteins = JSON.parse(source.textContent);
  const UNKNOWN = 255, LARGEST = 254, STEP = 0.2, CUTOFF = 8, FARTHEST = 40;
  const GREEN = "#009E73", ORANGE = "#D55E00", FIRST = "#d6006c", SECOND = "#7a3cff";
  const state = { protein: null, pair: null, held: false, range: null };

  const bytes = (text) => (text ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : null);
  const place = (i, j, length) => (i * (2 * length - i - 1)) / 2 + j - i - 1;
  const mix = (part, to) => to.map((value) => Math.round(255 + (value - 255) * part));
  const distance = (value) => value * STEP;
  // At the ends of a scale stand values beyond it as well: of distances at the upper one only.
  const bound = (value, lower) => (value === LARGEST ? "≥ " : lower && value === 0 ? "≤ " : "");
  const residue = (at) => `${state.protein.sequence[at]}${at + 1}`;

  // Each map: how a byte is coloured (two scales above and below the diagonal where they differ) and said.
  const MAPS = [
    { key: "coevolution", title: "Coevolution", low: "0 and less", high: (one) => `${one.top.toFixed(2)} and more`,
      bar: ["#fff", "#1c2530"], colour: (value) => mix(value / LARGEST, [28, 37, 48]),
      say: (value, one) => `coevolution ${bound(value, true)}${((value / LARGEST) * one.top).toFixed(2)}` },
    { key: "distance", title: "Distance", low: "0 Å", high: () => `${FARTHEST} Å and more`,
      bar: ["#0b4f7d", "#fff"], colour: (value) => mix(1 - Math.min(1, distance(value) / FARTHEST), [11, 79, 125]),
      say: (value) => `distance ${bound(value)}${distance(value).toFixed(1)} Å${distance(value) < CUTOFF ? ", a contact" : ""}` },
    { key: "prediction", title: "Predicted contact", low: "0", high: () => "1",
      bar: ["#fff", "#548ccc"], colour: (value) => mix(value / LARGEST, [84, 140, 204]),
      below: (one) => ({ map: one.maps.distance, colour: (value) => (distance(value) < CUTOFF ? [28, 37, 48] : [255, 255, 255]) }),
      say: (value) => `predicted probability ${(value / LARGEST).toFixed(2)}` },
  ];

  // The controls, the maps, the sequence, the structure, and the line that says what is pointed at.
  const controls = make("p", "controls", root);
  const label = make("label", "", controls, "Protein ");
  const choice = make("select", "", label);
  proteins.forEach((one, number) => { make("option", "", choice, one.id).value = number; });
  const about = make("p", "about", root);
  const said = make("p", "said", root);
  said.setAttribute("role", "status");
  const views = make("div", "views", root);
  const panels = MAPS.map((map) => panel(map));
  make("h4", "", root, "Sequence");
  const sequence = make("div", "sequence", root);
  const molecule = make("div", "panel", root);
  make("h4", "", molecule, "Structure");
  const { box, viewer, whole } = window.foldgraft.molecule(molecule, () => `${state.protein.id}-structure`, { backgroundColor: "white" });

  function panel(map) {
    const whole = make("div", "panel", views);
    make("h4", "", whole, map.title);
    const canvas = make("canvas", "map", whole);
    canvas.width = canvas.height = 480;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${map.title} of residue pairs; arrow keys move, Enter holds, Escape lets go`);
    const scale = make("p", "scale", whole);
    make("span", "", scale, map.low);
    make("span", "bar", scale).style.background = `linear-gradient(to right, ${map.bar.join(", ")})`;
    const end = make("span", "", scale);
    whole.append(button("PNG", `Save the map ${map.title} as PNG`, () => {
      save(`${state.protein.id}-${map.key}.png`, canvas.toDataURL("image/png"));
    }));
    const one = { ...map, whole, canvas, end, image: document.createElement("canvas") };
    listen(one);
    return one;
  }

  function paint(one, protein) {
    const length = protein.sequence.length, map = protein.maps[one.key], below = one.below?.(protein);
    one.whole.hidden = !map;
    if (!map) return;
    one.end.textContent = one.high(protein);
    one.image.width = one.image.height = length;
    const pixels = new ImageData(length, length);
    const put = (row, column, [red, green, blue]) => pixels.data.set([red, green, blue, 255], 4 * (row * length + column));
    for (let i = 0, at = 0; i < length; i += 1) {
      put(i, i, [200, 205, 210]);
      for (let j = i + 1; j < length; j += 1, at += 1) {
        const lower = below ?? { map, colour: one.colour };
        put(i, j, map[at] === UNKNOWN ? [224, 226, 229] : one.colour(map[at]));
        put(j, i, lower.map[at] === UNKNOWN ? [224, 226, 229] : lower.colour(lower.map[at]));
      }
    }
    one.image.getContext("2d").putImageData(pixels, 0, 0);
  }

  function overlay(one) {
    const length = state.protein.sequence.length, size = one.canvas.width, unit = size / length;
    const pen = one.canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.clearRect(0, 0, size, size);
    pen.drawImage(one.image, 0, 0, size, size);
    if (state.range) {
      const [[top, bottom], [left, right]] = state.range;
      pen.lineWidth = 2;
      pen.strokeStyle = FIRST;
      pen.strokeRect(left * unit, top * unit, (right - left + 1) * unit, (bottom - top + 1) * unit);
    }
    if (!state.pair) return;
    const [i, j] = state.pair;
    pen.fillStyle = "rgba(214, 0, 108, 0.35)";
    pen.fillRect(0, i * unit, size, Math.max(unit, 1));
    pen.fillStyle = "rgba(122, 60, 255, 0.35)";
    pen.fillRect(j * unit, 0, Math.max(unit, 1), size);
    pen.lineWidth = 2;
    pen.strokeStyle = "#000";
    pen.strokeRect(j * unit - 3, i * unit - 3, unit + 6, unit + 6);
  }

  function listen(one) {
    let from = null;
    const pointed = (event) => {
      const area = one.canvas.getBoundingClientRect(), length = state.protein.sequence.length;
      const at = (offset, size) => Math.min(length - 1, Math.max(0, Math.floor((offset / size) * length)));
      return [at(event.clientY - area.top, area.height), at(event.clientX - area.left, area.width)];
    };
    const span = (a, b) => [Math.min(a, b), Math.max(a, b)];
    one.canvas.addEventListener("pointermove", (event) => {
      const to = pointed(event);
      if (from && (from[0] !== to[0] || from[1] !== to[1])) state.range = [span(from[0], to[0]), span(from[1], to[1])];
      const moved = to.some((at, axis) => at !== state.pair?.[axis]);
      if (moved && (from || !state.held)) point(to);
    });
    one.canvas.addEventListener("pointerdown", (event) => {
      from = pointed(event);
      state.range = null;
      one.canvas.setPointerCapture(event.pointerId);
    });
    one.canvas.addEventListener("pointerup", (event) => {
      from = null;
      state.held = true;
      point(pointed(event));
    });
    one.canvas.addEventListener("pointercancel", () => { from = null; });
    one.canvas.addEventListener("pointerleave", () => { if (!state.held && !from) point(null); });
    one.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      const last = state.protein.sequence.length - 1;
      if (step) point((state.pair ?? [0, last]).map((at, axis) => Math.min(last, Math.max(0, at + step[axis]))));
      else if (event.key === "Enter") state.held = true;
      else if (event.key === "Escape") release();
      else return;
      event.preventDefault();
    });
  }

  function release() {
    state.held = false;
    state.range = null;
    point(null);
  }

  function point(pair) {
    state.pair = pair;
    show();
  }

  function show() {
    panels.filter((one) => !one.whole.hidden).forEach(overlay);
    const inside = (at, range) => range && at >= range[0] && at <= range[1];
    [...sequence.children].forEach((one, at) => {
      one.classList.toggle("first", state.pair?.[0] === at || Boolean(inside(at, state.range?.[0])));
      one.classList.toggle("second", state.pair?.[1] === at || Boolean(inside(at, state.range?.[1])));
    });
    said.textContent = words();
    structure?.mark();
  }

  function words() {
    if (!state.pair) return "Point at a pair of residues in a map.";
    const [i, j] = state.pair, one = state.protein;
    if (i === j) return residue(i);
    const at = place(Math.min(i, j), Math.max(i, j), one.sequence.length);
    const known = MAPS.filter((map) => one.maps[map.key]).map((map) => {
      const value = one.maps[map.key][at];
      return value === UNKNOWN ? `${map.key} unknown` : map.say(value, one);
    });
    const chosen = state.range?.map(([a, b]) => `${residue(a)} to ${residue(b)}`).join(" with ");
    return `${residue(i)} and ${residue(j)}, ${Math.abs(i - j)} apart: ${known.join("; ")}${chosen ? `. Selected: ${chosen}` : ""}`;
  }

  function write(protein) {
    sequence.replaceChildren();
    const deepest = protein.depth ? Math.max(1, ...protein.depth) : 1;
    [...protein.sequence].forEach((letter, at) => {
      const one = make("span", `at ${{ H: "helix", E: "strand" }[protein.ss3[at]] ?? ""}`, sequence, letter);
      if (protein.depth) one.style.setProperty("--depth", protein.depth[at] / deepest);
      one.title = `${letter}${at + 1}${protein.depth ? `, ${protein.depth[at]} sequences` : ""}`;
      if ((at + 1) % 10 === 0) one.dataset.number = at + 1;
      one.addEventListener("pointerenter", () => { if (!state.held) point([at, at]); });
      one.addEventListener("click", () => { state.held = true; point([at, at]); });
    });
  }

  function molecular() {
    if (!viewer) return null;
    let shapes = [], atoms = new Map();
    const cartoon = { cartoon: { color: "spectrum", opacity: 0.9 } };
    const where = (at) => atoms.get(at + 1);
    const rod = (i, j, colour, radius) => {
      const [start, end] = [where(i), where(j)];
      return start && end ? viewer.addCylinder({ start, end, radius, color: colour, fromCap: 1, toCap: 1 }) : null;
    };
    return {
      viewer,
      load(protein) {
        viewer.clear();
        shapes = [];
        viewer.addModel(protein.pdb, "pdb");
        atoms = new Map(viewer.selectedAtoms({ atom: "CA" }).map((atom) => [atom.resi, { x: atom.x, y: atom.y, z: atom.z }]));
        viewer.setStyle({}, cartoon);
        protein.rods.forEach(([i, j, right]) => rod(i, j, right ? GREEN : ORANGE, 0.12));
        whole();
      },
      mark() {
        shapes.forEach((one) => viewer.removeShape(one));
        viewer.setStyle({}, cartoon);
        const list = ([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at + 1);
        if (state.range) {
          viewer.setStyle({ resi: list(state.range[0]) }, { cartoon: { color: FIRST } });
          viewer.setStyle({ resi: list(state.range[1]) }, { cartoon: { color: SECOND } });
        }
        const pair = state.pair ?? [];
        shapes = pair.filter(where).map((at, side) => viewer.addSphere({ center: where(at), radius: 1.1, color: side ? SECOND : FIRST }));
        if (state.pair) shapes.push(rod(...state.pair, "#000000", 0.25));
        shapes = shapes.filter(Boolean);
        viewer.render();
      },
    };
  }

  function choose(number) {
    const one = proteins[number];
    one.maps ??= { distance: bytes(one.distance), coevolution: bytes(one.coevolution), prediction: bytes(one.prediction) };
    Object.assign(state, { protein: one, pair: null, held: false, range: null });
    about.textContent = `${one.id}: ${one.about}`;
    panels.forEach((each) => paint(each, one));
    write(one);
    if (structure) structure.load(one);
    else if (one.still) picture.src = one.still;
    show();
  }

  controls.append(button("Let go", "Let go of the pair and the selection", release));
  controls.append(button("CSV", "Save all pairs of this protein as CSV", () => {
    const one = state.protein, length = one.sequence.length, lines = ["first,second,distance,coevolution,prediction"];
    const cell = (key, scale, at, end = () => "") => {
      const value = one.maps[key]?.[at] ?? UNKNOWN;
      return value === UNKNOWN ? "" : `${end(value)}${(value * scale).toFixed(3)}`;
    };
    const both = (value) => bound(value, true);
    for (let i = 0, at = 0; i < length; i += 1) {
      for (let j = i + 1; j < length; j += 1, at += 1) {
        const cells = [cell("distance", STEP, at, bound), cell("coevolution", one.top / LARGEST, at, both), cell("prediction", 1 / LARGEST, at)];
        lines.push([i + 1, j + 1, ...cells].join(","));
      }
    }
    saveText(`${one.id}-pairs.csv`, "text/csv", `${lines.join("\n")}\n`);
  }));
  choice.addEventListener("change", () => choose(Number(choice.value)));
  const structure = molecular();
  const picture = structure ? null : make("img", "", box);
  if (picture) picture.alt = "CA trace of the structure with its likeliest contacts";
  root.views = { state, structure, point };
  choose(0);
})();
