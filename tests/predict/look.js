// A visitor of a scan's page: what it points at on the structure, what it is told, and how that place is coloured.
"use strict";
window.addEventListener("load", () => setTimeout(async () => {
  const seen = {}, root = document.getElementById("structure"), { viewer, alphas, state } = root.views;
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  const said = () => root.querySelector(".said").textContent;
  const canvas = root.querySelector("canvas"), box = root.querySelector(".molecule");
  const letters = root.querySelector(".sequence");
  const button = (text) => [...root.querySelectorAll("button")].find((one) => one.textContent === text);
  const marked = () => [...letters.children].flatMap((one, at) => (one.classList.contains("marked") ? [at] : []));
  const send = (kind, { x, y }) => canvas.dispatchEvent(new MouseEvent(kind,
    { clientX: x - scrollX, clientY: y - scrollY, button: 0, which: 1, bubbles: true }));
  const area = canvas.getBoundingClientRect();

  seen.silent = said();
  seen.png = viewer.pngURI();
  seen.size = [area.width, area.height];
  seen.hovered = [];
  for (const resi of [...alphas.keys()].filter((_, at) => at % 3 === 1)) {
    const place = viewer.modelToScreen(alphas.get(resi)[0]);
    send("mousemove", place);
    await pause(120);
    seen.hovered.push({ resi, said: said(), marked: marked(), x: place.x - area.left - scrollX, y: place.y - area.top - scrollY });
  }
  send("mousemove", { x: area.left + scrollX + 3, y: area.top + scrollY + 3 });
  await pause(120);
  seen.left = { said: said(), marked: marked() };

  const view = () => viewer.getView();
  const scroll = () => canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 300, bubbles: true, cancelable: true }));
  seen.views = { start: view() };
  scroll();
  seen.views.still = view();
  box.click();
  scroll();
  await pause(50);
  seen.views.zoomed = view();
  button("Reset").click();
  seen.views.reset = view();
  box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
  seen.views.turned = view();

  letters.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  letters.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  letters.children[7].dispatchEvent(new PointerEvent("pointerenter"));
  seen.entered = state.at;
  letters.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) letters.dispatchEvent(new KeyboardEvent("keydown", { key }));
  seen.moved = { at: state.at, said: said() };
  letters.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  letters.children[20].dispatchEvent(new PointerEvent("pointerenter"));
  seen.held = state.at;
  button("Let go").click();
  letters.children[20].dispatchEvent(new PointerEvent("pointerenter"));
  seen.free = { at: state.at, said: said() };

  seen.letters = [...letters.children].map((one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]);
  seen.elements = document.querySelectorAll("b, img[onerror], script").length;
  const out = document.createElement("output");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
}, 500));
