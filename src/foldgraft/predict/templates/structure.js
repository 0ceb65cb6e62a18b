// The structure coloured by what each residue adds to the score, and the sequence in the same colours: a residue that is
// pointed at in one is marked in both and named.
"use strict";
(() => {
  const source = document.getElementById("structure-data");
  if (!source) return;
  const { make, button, molecule } = window.foldgraft;
  const { pdb, chains, sequence, values, top, colours } = JSON.parse(source.textContent);
  const root = document.getElementById("structure");
  const MARK = "#d6006c", LEGIBLE = 0.55;
  const state = { at: null, chain: null, held: false };

  const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const colour = (value) => {
    if (value === null) return colours.unknown;
    const share = Math.min(1, Math.abs(value) / top), end = parts(value < 0 ? colours.low : colours.high);
    const mixed = parts(colours.middle).map((middle, at) => Math.round(middle + (end[at] - middle) * share));
    return `#${mixed.map((one) => one.toString(16).padStart(2, "0")).join("")}`;
  };
  const number = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;

  const said = make("p", "said", root);
  said.setAttribute("role", "status");
  const scale = make("p", "scale", root);
  make("span", "", scale, `${number(-top)} pulls the score down`);
  make("span", "bar", scale).style.background = `linear-gradient(to right, ${colours.low}, ${colours.middle}, ${colours.high})`;
  make("span", "", scale, `${number(top)} holds it up`);
  const { box, tools, viewer, whole } = molecule(root, () => "contribution", { backgroundAlpha: 0, disableFog: true, hoverDuration: 30 });
  const letters = make("div", "sequence shaded", root);
  letters.tabIndex = 0;
  letters.setAttribute("role", "application");
  letters.setAttribute("aria-label", "Sequence; arrow keys move, Enter holds, Escape lets go");
  [...sequence].forEach((letter, at) => {
    const one = make("span", "at", letters, letter), value = values[at];
    one.style.setProperty("--shade", colour(value));
    one.style.color = value === null || Math.abs(value) > LEGIBLE * top ? "#fff" : "#1c2530";
    if ((at + 1) % 10 === 0) one.dataset.number = at + 1;
    one.addEventListener("pointerenter", () => { if (!state.held) point(at); });
    one.addEventListener("click", () => hold(at));
  });
  letters.addEventListener("pointerleave", () => { if (!state.held) point(null); });
  letters.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 }[event.key];
    if (step) point(state.at === null ? 0 : Math.min(sequence.length - 1, Math.max(0, state.at + step)));
    else if (event.key === "Enter") state.held = state.at !== null;
    else if (event.key === "Escape") release();
    else return;
    event.preventDefault();
  });

  let marks = [];
  const alphas = new Map();
  if (viewer) {
    viewer.addModel(pdb, "pdb");
    viewer.selectedAtoms({ atom: "CA" }).forEach((atom) => alphas.set(atom.resi, [...(alphas.get(atom.resi) ?? []), atom]));
    const flat = viewer.selectedAtoms({ atom: "O" }).length === 0;  // of alpha carbons alone no ribbon can be drawn
    const shade = (atom) => colour(values[atom.resi - 1]);
    viewer.setStyle({}, { cartoon: { colorfunc: shade, ...(flat ? { style: "trace", thickness: 0.8 } : {}) } });
    viewer.setHoverable({}, true, (atom) => { if (!state.held) point(atom.resi - 1, atom.chain); }, () => { if (!state.held) point(null); });
    viewer.setClickable({}, true, (atom) => hold(atom.resi - 1, atom.chain));
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") release(); });
    tools.append(button("Let go", "Let go of the residue", release));
    whole();
  }

  function hold(at, chain) {
    state.held = true;
    point(at, chain);
  }

  function release() {
    state.held = false;
    point(null);
  }

  function point(at, chain = null) {
    if (state.at !== null) letters.children[state.at].classList.remove("marked");
    Object.assign(state, { at, chain });
    if (at !== null) letters.children[at].classList.add("marked");
    said.textContent = words();
    if (!viewer) return;
    marks.forEach((one) => viewer.removeShape(one));
    marks = (at === null ? [] : alphas.get(at + 1) ?? []).map((center) => viewer.addSphere({ center, radius: 1.4, color: MARK, opacity: 0.8 }));
    viewer.render();
  }

  function words() {
    if (state.at === null) return "Point at a residue in the structure or in the sequence.";
    const { at, chain } = state, value = values[at];
    const adds = value === null ? "no value" : `${number(value)}, ${value < 0 ? "pulls the score down" : "holds the score up"}`;
    const unseen = viewer && !alphas.has(at + 1) ? "; not resolved in the structure" : "";
    return `${sequence[at]}${at + 1}${chain ? ` of chain ${chains[chain]}` : ""}: ${adds}${unseen}`;
  }

  root.views = { state, viewer, point, alphas };
  point(null);
})();
