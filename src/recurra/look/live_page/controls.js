/* The controls: settings from the page and from its address, problems beside the controls, and what lights up. */

const content = JSON.parse(document.getElementById("live-shapes-data").textContent);
const NUMBERS = ["input_size", "hidden_size", "num_layers", "proj_size", "batch", "seq_len"];
const SWITCHES = ["bidirectional", "batch_first", "bias", "unbatched"];
const limitOf = (name) => Math.max(name === "num_layers" ? 64 : 1e6, content.start[name]);
const root = document.querySelector(".live-shapes");
const control = (name) => root.querySelector(`[name="${name}"]`);
const at = (name) => root.querySelector(`[data-at="${name}"]`);
let lit = "";

function cellOf(key) { return content.cells.find((cell) => cell.key === key); }

/** The settings that the address asks for; those that it does not name, or names wrongly, are the page's own. */
function settingsOfAddress() {
  const settings = { ...content.start }, given = new URLSearchParams(location.hash.slice(1));
  if (cellOf(given.get("cell"))) settings.cell = given.get("cell");
  for (const name of NUMBERS) {
    if (/^-?\d{1,7}$/.test(given.get(name) ?? "")) settings[name] = Number(given.get(name));
  }
  for (const name of SWITCHES) {
    if (given.has(name)) settings[name] = given.get(name) !== "0";
  }
  return settings;
}

function put(settings) {
  control("cell").value = settings.cell;
  for (const name of NUMBERS) control(name).value = settings[name];
  for (const name of SWITCHES) control(name).checked = settings[name];
}

/** The settings that the controls show, and the problems of those that are no numbers of this page. */
function read() {
  const settings = { cell: control("cell").value }, problems = [];
  for (const name of NUMBERS) {
    const input = control(name), value = input.valueAsNumber;
    if (Number.isInteger(value) && value <= limitOf(name)) { settings[name] = value; continue; }
    const whole = name === "batch" || name === "seq_len" ? "a whole number" : "an int";
    const message = Number.isInteger(value) ? `this page shows up to ${limitOf(name).toLocaleString("en")}`
      : Number.isNaN(value) ? `${name} is missing: ${whole}` : `${name} must be ${whole}, not float (${value})`;
    problems.push({ control: name, type: Number.isInteger(value) || Number.isNaN(value) ? "" : "TypeError", message });
  }
  for (const name of SWITCHES) settings[name] = control(name).checked;
  return { settings, problems };
}

function addressOf(settings) {
  const parts = new URLSearchParams({ cell: settings.cell });
  for (const name of NUMBERS) parts.set(name, settings[name]);
  for (const name of SWITCHES) parts.set(name, Number(settings[name]));
  return `#${parts}`;
}

function keepInAddress(settings) {
  const address = addressOf(settings);
  if (address !== location.hash) {
    try { history.replaceState(null, "", address); } catch { location.replace(address); }
  }
}

function showProblems(problems) {
  for (const name of [...NUMBERS, "cell"]) {
    const mine = problems.filter((each) => each.control === name), place = at(`problem-${name}`);
    const text = mine.map(({ type, message }) => (type ? `${type}: ${message}` : message)).join(" ");
    if (place.textContent !== text) place.textContent = text;
    control(name).setAttribute("aria-invalid", String(mine.length > 0));
  }
}

function update() {
  const { settings, problems } = read();
  control("batch").disabled = settings.unbatched;
  if (problems.length) { showProblems(problems); root.classList.add("stale"); return; }
  const cell = cellOf(settings.cell), layer = layerOf(cell, settings);
  showProblems(layer.problems);
  at("summary").textContent = cell.summary;
  at("python").innerHTML = pythonHtml(layer);
  root.classList.toggle("stale", layer.problems.length > 0);
  if (!layer.problems.length) show(layer);
  keepInAddress(settings);
}

function show(layer) {
  const { total, html } = parametersHtml(layer), names = layer.states.map(({ name }) => `${name}_n`);
  at("boxes").innerHTML = boxesHtml(layer);
  at("boxes").style.setProperty("--columns", names.length > 2 ? 3 : 2 + names.length);
  at("drawing").innerHTML = drawingHtml(layer);
  at("rows-title").innerHTML = names.map((name) => `<code>${escaped(name)}</code>`).join(" and ");
  at("rows").innerHTML = rowsHtml(layer);
  at("apart").innerHTML = takingApartHtml(layer);
  at("variables").innerHTML = variablesHtml(layer);
  at("count").textContent = total.toLocaleString("en");
  at("parameters").innerHTML = html;
  const costs = costsOf(layer);
  at("step-cost").textContent = costs.step.toLocaleString("en");
  at("call-cost").textContent = costs.call.toLocaleString("en");
  light("");
}

/** Light up a part of the drawing with everything that it is about, and say what it is. */
function light(part) {
  lit = part;
  const found = part ? root.querySelector(`.part[data-part="${part}"]`) : null;
  for (const each of root.querySelectorAll("[data-part]")) {
    each.classList.toggle("lit", each.dataset.part === part);
    each.classList.toggle("chain", Boolean(part) && each.dataset.part !== part && each.dataset.also === part);
  }
  at("readout").textContent = found ? found.dataset.words : at("readout").dataset.hint;
}

function lightKind(kind) {
  for (const part of root.querySelectorAll(".part")) part.classList.toggle("kind", part.dataset.kind === kind);
}

/** The parts of the drawing one by one, as the arrow keys pass through them. */
function move(steps) {
  const keys = [...new Set([...root.querySelectorAll(".part")].map((each) => each.dataset.part))];
  light(keys[Math.max(0, Math.min(keys.length - 1, keys.indexOf(lit) + steps))]);
  root.querySelector(`.part[data-part="${lit}"]`).scrollIntoView({ block: "nearest", inline: "nearest" });
}

const partAt = (event) => event.target.closest("[data-part]")?.dataset.part ?? "";
for (const kind of ["pointerover", "focusin"]) {
  root.addEventListener(kind, (event) => {
    if (event.target.closest("[data-at=drawing], [data-at=rows]")) {
      if (partAt(event) || kind === "pointerover") light(partAt(event));
    }
    const row = event.target.closest("[data-at=variables] [data-kind]");
    lightKind({ parameter: "node", step: "node", once: "node" }[row?.dataset.kind] ?? row?.dataset.kind ?? "-");
  });
}
for (const kind of ["pointerleave", "focusout"]) {
  for (const name of ["drawing", "rows"]) at(name).addEventListener(kind, () => light(""));
}
at("drawing").addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === "Escape") light("");
  if (steps === undefined || event.metaKey || event.altKey || event.ctrlKey) return;
  event.preventDefault();
  move(steps);
});
for (const step of root.querySelectorAll("[data-step]")) {
  step.addEventListener("click", () => {
    const input = control(step.dataset.for);
    if (input.disabled) return;
    input.value = Math.max(Number(input.min), (Number(input.value) || 0) + Number(step.dataset.step));
    update();
  });
}
for (const button of root.querySelectorAll("[data-copy]")) {
  const name = button.textContent;
  button.addEventListener("click", async () => {
    const text = button.dataset.copy === "address" ? location.href : at(button.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { button.textContent = "Not permitted here"; }
    setTimeout(() => { button.textContent = name; }, 1600);
  });
}
at("reset").addEventListener("click", () => { put(content.start); update(); });
root.addEventListener("input", update);
addEventListener("hashchange", () => { put(settingsOfAddress()); update(); });
for (const { key, label, group } of content.cells) {
  const chooser = control("cell"), made = [...chooser.children].find((each) => each.label === group);
  const into = made ?? chooser.appendChild(document.createElement("optgroup"));
  into.label = group;
  into.appendChild(new Option(label, key));
}
show(layerOf(cellOf(content.start.cell), content.start));  // what is seen below problems that the address brings
put(settingsOfAddress());
update();
