// A box with a molecule in 3Dmol.js: drag to turn, click before zooming, keys, buttons, and a still picture for paper.
"use strict";
(() => {
  const { make, save, button } = window.foldgraft;
  // Without 3Dmol.js, or where the browser draws no 3D, the box has no viewer.
  const drawn = (box, hint, look) => {
    if (!window.$3Dmol) return null;
    try {
      return $3Dmol.createViewer(box, look);
    } catch {
      box.hidden = true;
      hint.textContent = "This browser cannot draw the structure: it has no WebGL.";
      return null;
    }
  };

  // `name()` names a saved picture, `look` are settings of 3Dmol.js.
  window.foldgraft.molecule = (panel, name, look) => {
    const box = make("div", "molecule", panel), hint = make("p", "hint", panel);
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", "Structure; arrow keys turn, plus and minus zoom, Home shows the whole");
    const viewer = drawn(box, hint, look);
    if (!viewer) return { box, viewer: null };
    const tools = make("p", "controls", panel);
    let active = false;
    const activate = (on) => {
      active = on;
      box.classList.toggle("active", on);
      hint.textContent = on ? "Scrolling zooms; Escape ends that." : "Drag to turn; click before zooming.";
    };
    const block = (event) => { if (!active) event.stopPropagation(); };
    ["wheel", "mousewheel", "DOMMouseScroll", "touchstart", "touchmove"].forEach((kind) => {
      box.addEventListener(kind, block, { capture: true, passive: true });
    });
    box.addEventListener("click", () => activate(true));
    box.addEventListener("focusout", () => activate(false));
    box.addEventListener("pointerleave", () => activate(false));
    const whole = () => { viewer.zoomTo(); viewer.render(); };
    const turn = (axis, by) => { viewer.rotate(by, axis); viewer.render(); };
    const zoom = (by) => { viewer.zoom(by); viewer.render(); };
    const KEYS = {
      ArrowLeft: () => turn("y", -12), ArrowRight: () => turn("y", 12), ArrowUp: () => turn("x", -12),
      ArrowDown: () => turn("x", 12), "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2),
      Home: whole, r: whole, Escape: () => activate(false),
    };
    box.addEventListener("keydown", (event) => {
      if (!KEYS[event.key]) return;
      KEYS[event.key]();
      event.preventDefault();
    });
    [["Reset", "Show the whole structure", whole], ["+", "Zoom in", () => zoom(1.2)], ["−", "Zoom out", () => zoom(1 / 1.2)],
      ["◀", "Turn left", () => turn("y", -12)], ["▶", "Turn right", () => turn("y", 12)],
      ["PNG", "Save the structure as PNG", () => save(`${name()}.png`, viewer.pngURI())],
    ].forEach(([text, what, action]) => tools.append(button(text, what, action)));
    const paper = make("img", "paper", box);
    paper.alt = "";
    window.addEventListener("beforeprint", () => { paper.src = viewer.pngURI(); });
    activate(false);
    return { box, tools, viewer, whole };
  };
})();
