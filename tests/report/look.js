// A visitor of the page: what it points at, drags, clicks and saves, and what becomes of that.
"use strict";
window.addEventListener("load", () => setTimeout(async () => {
  const seen = {}, root = document.getElementById("linked"), { state, structure } = root.views;
  const pause = () => new Promise((done) => setTimeout(done, 50));
  const marked = () => Object.fromEntries(["first", "second"].map((kind) => [kind,
    [...root.querySelectorAll(".at")].flatMap((one, at) => (one.classList.contains(kind) ? [at] : []))]));
  const told = () => ({ marked: marked(), said: root.querySelector(".said").textContent });
  const map = root.querySelectorAll("canvas.map")[2];
  const send = (kind, row, column) => {
    const box = map.getBoundingClientRect(), unit = box.width / seen.sequence.length;
    const where = { clientX: box.left + (column + 0.5) * unit, clientY: box.top + (row + 0.5) * unit };
    map.dispatchEvent(new PointerEvent(kind, { ...where, pointerId: 1, bubbles: true }));
  };
  const button = (text) => [...root.querySelectorAll("button")].find((one) => one.textContent === text);
  seen.sequence = state.protein.sequence;
  seen.about = root.querySelector(".about").textContent;
  seen.before = structure.viewer.pngURI();

  send("pointermove", 10, 50); send("pointerdown", 10, 50); send("pointerup", 10, 50);
  await pause();
  seen.clicked = { ...told(), png: structure.viewer.pngURI() };
  for (const key of ["ArrowDown", "ArrowLeft"]) map.dispatchEvent(new KeyboardEvent("keydown", { key }));
  seen.moved = state.pair;
  send("pointerdown", 5, 40); send("pointermove", 12, 55); send("pointerup", 12, 55);
  await pause();
  seen.dragged = told();
  map.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  await pause();
  seen.let_go = told();

  const view = () => structure.viewer.getView();
  const scroll = () => root.querySelector(".molecule canvas").dispatchEvent(new WheelEvent("wheel", { deltaY: 300, bubbles: true }));
  seen.views = { start: view() };
  scroll();
  seen.views.still = view();
  root.querySelector(".molecule").click();
  scroll();
  await pause();
  seen.views.zoomed = view();
  button("Reset").click();
  seen.views.reset = view();

  const texts = [], names = [];
  URL.createObjectURL = (blob) => `blob:${texts.push(blob.text()) - 1}`;
  HTMLAnchorElement.prototype.click = function click() { names.push([this.download, this.href]); };
  const buttons = [...document.querySelectorAll("button.save")].filter((one) => /^(CSV|SVG|PNG)$/.test(one.textContent));
  buttons.forEach((one) => one.click());
  seen.buttons = buttons.length;
  seen.saved = names.map(([name]) => name);
  seen.tables = document.querySelectorAll("table").length;
  seen.figures = document.querySelectorAll("figure svg").length;
  const content = (ending) => texts[Number(names.find(([name]) => name.endsWith(ending))[1].slice(5))];
  seen.csv = await content("summary-table-1.csv");
  seen.svg = await content(".svg");
  seen.pairs = await content("-pairs.csv");
  seen.ends = ["coevolution", "distance"].flatMap((key) => {
    const at = state.protein.maps[key].indexOf(254);
    if (at < 0) return [];
    const second = (i) => at - (i * (2 * seen.sequence.length - i - 1)) / 2 + i + 1;
    const first = [...seen.sequence].findLastIndex((_, i) => second(i) > i);
    root.views.point([first, second(first)]);
    return [told().said];
  });
  root.views.point(null);

  const choice = root.querySelector("select");
  choice.value = "1";
  choice.dispatchEvent(new Event("change"));
  seen.other = { length: root.querySelectorAll(".at").length, about: root.querySelector(".about").textContent };

  const theme = document.getElementById("theme");
  const kept = () => { try { return localStorage.getItem("foldgraft-theme"); } catch { return null; } };
  const colours = () => ({ chosen: document.documentElement.dataset.theme ?? null, kept: kept(),
    background: getComputedStyle(document.body).backgroundColor });
  seen.themes = [colours()];
  for (let times = 0; times < 3; times += 1) { theme.click(); seen.themes.push(colours()); }

  const out = document.createElement("output");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
}, 1000));
