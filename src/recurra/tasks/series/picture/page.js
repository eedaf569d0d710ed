"use strict";
const figures = [...document.querySelectorAll("figure")];
const chooser = document.querySelector("select");
if (chooser) chooser.addEventListener("change", () => {
  for (const each of document.querySelectorAll("[data-series]")) each.hidden = each.dataset.series !== chooser.value;
});
const tip = document.createElement("div");
tip.id = "tip";
function cell(row, text) { row.insertCell().textContent = text; }
function rowsAt(rows, at) {
  const get = (name) => (rows[name] ? rows[name][at] : "");
  const found = [["Observed", get("observed")], ["Forecast", get("forecast")]];
  for (const name of ["80", "90"])
    if (get(name + " low")) found.push([name + " % interval", get(name + " low") + " to " + get(name + " high")]);
  found.push(["Naive", get("naive")]);
  return found.filter(([, value]) => value);
}
function follow(figure, svg, points, event) {
  const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
  const at = Math.round(((event.clientX - box.left) / scale - points.x) / points.step);
  const cursor = svg.querySelector(".cursor");
  const found = at >= 0 && at < points.times.length ? rowsAt(points.rows, at) : [];
  tip.style.visibility = found.length ? "visible" : "hidden";
  cursor.setAttribute("visibility", tip.style.visibility);
  if (!found.length) return;
  const x = points.x + at * points.step;
  cursor.setAttribute("x1", x);
  cursor.setAttribute("x2", x);
  tip.textContent = "";
  const head = tip.appendChild(document.createElement("strong"));
  head.textContent = points.times[at];
  const table = tip.appendChild(document.createElement("table"));
  for (const [name, value] of found) { const row = table.insertRow(); cell(row, name); cell(row, value); }
  figure.append(tip);
  const left = x * scale + 16;
  tip.style.left = (left + tip.offsetWidth > box.width ? x * scale - 16 - tip.offsetWidth : left) + "px";
  tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight / 2) + "px";
}
for (const figure of figures) {
  const svg = figure.querySelector("svg"), points = JSON.parse(svg.dataset.points);
  svg.addEventListener("pointermove", (event) => follow(figure, svg, points, event));
  svg.addEventListener("pointerleave", () => {
    tip.style.visibility = "hidden";
    svg.querySelector(".cursor").setAttribute("visibility", "hidden");
  });
}
