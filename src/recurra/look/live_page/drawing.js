/* The drawing: the network unrolled over time, layers upwards, both directions, and the shape of every arrow. */

const NODE = { width: 54, height: 34 }, CHARACTER = 6.7, MOST_STEPS = 5, MOST_LAYERS = 4, WIDEST = 1240;
const HEAD = 'marker-end="url(#live-shapes-tip)"';

/** The numbers 0 to count - 1, or the first ones, null for those left out, and the last. */
function visible(count, most) {
  if (count <= most) return [...Array(Math.max(count, 0)).keys()];
  return [...Array(most - 2).keys(), null, count - 1];
}

function svgShape(dimensions) {
  const numbers = dimensions.map(({ value, kind }) => `<tspan class="d-${kind}">${value}</tspan>`);
  return `(${numbers.join(", ")}${numbers.length === 1 ? "," : ""})`;
}

function svgText(x, y, html, more = "") { return `<text x="${x}" y="${y}" ${more}>${html}</text>`; }

function svgLine(points, more = "") {
  return `<path d="M${points.map(([x, y]) => `${x} ${y}`).join("L")}" ${more}/>`;
}

/** A part of the drawing that can be pointed at: its key, its kind, what is said of it. */
function svgPart(key, kind, words, html, also = "") {
  return `<g class="part" data-part="${key}" data-kind="${kind}" data-also="${also}" data-words="${escaped(words)}">` +
    `${html}</g>`;
}

/** The places of everything in the drawing, with as many steps as have room. */
function measured(layer) {
  for (let most = MOST_STEPS; ; most--) {
    const place = measuredWith(layer, most);
    if (place.width <= WIDEST || most === 3) return place;
  }
}

function measuredWith(layer, most) {
  const { states, directions, settings, outputs } = layer;
  const stateTexts = states.map(({ step: shape }) => tuple(shape));
  const isShared = new Set(stateTexts).size === 1;
  const names = states.map(({ name }) => name);
  const lines = isShared ? [names.join(", "), stateTexts[0]] : states.map((_, at) => `${names[at]} ${stateTexts[at]}`);
  const label = Math.max(...lines.map((line) => line.length)) * CHARACTER + 14;
  const shift = directions === 2 ? NODE.width / 2 + 6 : 0;
  const vertical = Math.max(...outputs.map((each) => tuple([...layer.batch, each]).length),
    tuple([...layer.batch, layer.input[layer.input.length - 1]]).length) * CHARACTER + 14;
  const half = NODE.width / 2 + shift;  // of a step, with the cells of both directions
  const between = directions === 2 ? 2 * shift + NODE.width / 2 : NODE.width;  // what stands beside a label of states
  const column = Math.max(label + between + 12, vertical + 24);
  const last = directions * settings.num_layers - 1;
  const chip = Math.max(...names.map((name) => `${name}_n[${last}]`.length)) * CHARACTER + 18;
  const steps = visible(settings.seq_len, most), layers = visible(settings.num_layers, MOST_LAYERS);
  const first = 14 + chip + label + 14 + half, right = first + (steps.length - 1) * column + half + label + 14;
  const row = Math.max(66, 15 * states.length + 34);
  const band = 44 + row * directions + (directions === 2 ? 24 : 0);
  return { lines, isShared, shift, column, chip, steps, layers, first, right, row, band, width: right + chip + 14 };
}

/** The drawing as SVG. */
function drawingHtml(layer) {
  const place = measured(layer), { settings, directions } = layer;
  const gap = 58;
  let y = 44, bands = "", parts = "", top = null;
  const x = (at) => place.first + at * place.column;
  const ends = [];
  for (const number of [...place.layers].reverse()) {
    const height = number === null ? 40 : place.band;
    ends.unshift({ number, top: y, bottom: y + height });
    y += height + gap;
  }
  const bottom = y - gap + 58;
  for (const { number, top: above, bottom: below } of ends) {
    bands += `<rect class="band" x="6" y="${above}" width="${place.width - 12}" height="${below - above}" rx="10"/>`;
    if (number === null) {
      const hidden = `${layerRange(place.layers[1] + 1, settings.num_layers - 2)}: the same again`;
      bands += svgText(place.width / 2, (above + below) / 2 + 4, `⋮ ${hidden}`, 'class="soft" text-anchor="middle"');
      continue;
    }
    bands += svgText(18, above + 20, `layer ${number}`, 'class="name"');
    parts += layerSvg(layer, place, x, number, above, below);
  }
  for (const [at, t] of place.steps.entries()) {
    parts += upwardsSvg(layer, place, x(at), t, ends);
  }
  const label = drawingWords(layer, place);
  return `<svg width="${Math.round(place.width)}" height="${Math.round(bottom)}" viewBox="0 0 ${Math.round(place.width)} ` +
    `${Math.round(bottom)}" style="min-width:${Math.round(place.width * 0.82)}px;max-width:${Math.round(place.width * 1.08)}px" role="img" aria-label="${escaped(label)}">
    <defs><marker id="live-shapes-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
    <path class="arrowhead" d="M0 0.6L7.4 4L0 7.4z"/></marker></defs>${bands}${parts}</svg>`;
}

/** The drawing in words. */
function drawingWords({ settings, directions, input, output, states }) {
  const names = states.map(({ name, step }) => `${name} ${tuple(step)}`).join(" and ");
  return `${settings.num_layers} layer${settings.num_layers === 1 ? "" : "s"} over ${settings.seq_len} steps, ` +
    `${directions === 2 ? "forward and backward" : "forward"}. x ${tuple(input)} enters at the bottom, ` +
    `output ${tuple(output)} leaves at the top. Between steps each layer hands on ${names}.`;
}

/** One layer: its runs over time, the states between the steps, and the states that enter and leave. */
function layerSvg(layer, place, x, number, above, below) {
  let html = "";
  const bar = layer.directions === 2 ? 24 : 0;
  for (let direction = layer.directions - 1; direction >= 0; direction--) {
    const isBackward = direction === 1;
    const y = (isBackward ? above + bar + 22 : below - 22 - place.row) + place.row / 2;
    html += runSvg(layer, place, x, { number, direction, y });
  }
  return html;
}

function runSvg(layer, place, x, { number, direction, y }) {
  const { directions, settings } = layer, isBackward = direction === 1;
  const row = number * directions + direction, way = isBackward ? "backward" : "forward";
  const shift = isBackward ? place.shift : -place.shift;
  const centers = place.steps.map((_, at) => x(at) + shift);
  const chips = { left: 14 + place.chip, right: place.right };
  const order = isBackward ? [...place.steps.keys()].reverse() : [...place.steps.keys()];
  const from = isBackward ? chips.right : chips.left, to = isBackward ? chips.left : chips.right;
  const side = (isBackward ? -1 : 1) * NODE.width / 2;
  let html = stateSvg(layer, place, [from, centers[order[0]] - side, y], from, `h0-${row}`, `hn-${row}`,
    `${rowNames(layer, row, "0").join(", ")} enter layer ${number}, ${way}: ${statesWords(layer)}`);
  for (const [position, at] of order.entries()) {
    const t = place.steps[at], isLast = position === order.length - 1;
    const next = isLast ? to : centers[order[position + 1]] - side;
    const following = isLast ? null : place.steps[order[position + 1]];
    const words = isLast
      ? `${rowNames(layer, row, "n").join(", ")}: layer ${number}, ${way}, after step ${t}, the last that it reads: ` +
        statesWords(layer)
      : `layer ${number}, ${way}, states handed on${t === null || following === null ? "" :
        ` from step ${t} to step ${following}`}: ${statesWords(layer)}`;
    const crossing = directions === 2 && t !== null ? x(at) - shift : centers[at] + side;
    html += stateSvg(layer, place, [centers[at] + side, next, y], crossing,
      isLast ? `hn-${row}` : `s-${row}-${position}`, `hn-${row}`, words);
    html += nodeSvg(layer, centers[at], y, t, number, isBackward);
  }
  html += chipSvg(layer, isBackward ? place.right : 14, y, place, row, "0", way, number);
  html += chipSvg(layer, isBackward ? 14 : place.right, y, place, row, "n", way, number);
  return html;
}

function statesWords({ states }) { return states.map(({ name, step }) => `${name} ${tuple(step)}`).join(", "); }

/** An arrow of states from x to x at one height, with the shapes around it, behind the line that it crosses. */
function stateSvg(layer, place, [from, to, y], crossing, key, chain, words) {
  const { states } = layer, middle = (crossing + to) / 2 + (from < to ? -3 : 3);
  const lines = place.isShared
    ? [escaped(states.map(({ name }) => name).join(", ")), svgShape(states[0].step)]
    : states.map(({ name, step }) => `${escaped(name)} ${svgShape(step)}`);
  const texts = lines.map((line, at) => svgText(middle, at ? y + 3 + 14 * at : y - 7, line, 'text-anchor="middle"'));
  return svgPart(key, "state", words, svgLine([[from, y], [to, y]], 'class="hit"') +
    svgLine([[from, y], [to, y]], `class="arrow" ${HEAD}`) + texts.join(""), chain);
}

function nodeSvg(layer, x, y, t, number, isBackward) {
  if (t === null) return svgText(x, y + 5, "⋯", 'class="dots" text-anchor="middle"');
  const way = isBackward ? "backward" : "forward";
  const below = number ? layer.outputs[number - 1] : layer.input[layer.input.length - 1];
  const words = `layer ${number}, ${way}, step ${t}: reads ${tuple([...layer.batch, below])} and the states, ` +
    `gives ${statesWords(layer)}`;
  const name = layer.cell.layer || "cell";
  return svgPart(`n-${number}-${way}-${t}`, "node", words,
    `<rect class="node ${way}" x="${x - NODE.width / 2}" y="${y - NODE.height / 2}" width="${NODE.width}" ` +
    `height="${NODE.height}" rx="8"/>${svgText(x, y + 4.5, name, 'class="cell" text-anchor="middle"')}`);
}

/** The states that enter (h_0) or leave (h_n) a run, at its end. */
function chipSvg(layer, x, y, place, row, end, way, number) {
  const names = rowNames(layer, row, end), height = 15 * names.length + 9;
  const key = end === "n" ? `hn-${row}` : `h0-${row}`;
  const texts = names.map((name, at) =>
    svgText(x + place.chip / 2, y - height / 2 + 16 + 15 * at, escaped(name), 'text-anchor="middle"'));
  const verb = end === "n" ? "leaves" : "enters";
  return svgPart(key, "state", `${names.join(", ")} ${verb} layer ${number}, ${way}: ${statesWords(layer)}`,
    `<rect class="chip" x="${x}" y="${y - height / 2}" width="${place.chip}" height="${height}" rx="6"/>${texts.join("")}`,
    `hn-${row}`);
}

/** The arrows upwards in one column: the input, the outputs of the layers, and how both directions are joined. */
function upwardsSvg(layer, place, x, t, ends) {
  const { directions, batch, outputs, input, settings } = layer;
  const features = input[input.length - 1];
  const steps = (name) => settings.batch_first && !settings.unbatched ? `${name}[:, ${t}]` : `${name}[${t}]`;
  let html = "";
  for (const [at, { number, top, bottom }] of ends.entries()) {
    const under = at ? ends[at - 1].top : bottom + 34;
    const from = at ? ends[at - 1].top + 4 : under;
    const entering = at ? outputs[ends[at - 1].number ?? number - 1] : features;
    if (t === null) continue;
    const words = at ? `output of layer ${(number ?? place.layers[1] + 1) - 1} at step ${t}, the input of layer ${number ??
      place.layers[1] + 1}: ${tuple([...batch, entering])}` : `${steps("x")}, the input of step ${t}: ` +
      tuple([...batch, entering]);
    const key = at ? `o-${ends[at - 1].number ?? "hidden"}-${t}` : `x-${t}`;
    html += svgPart(key, "input", words, arrowUp(x, from, bottom, [...batch, entering], directions === 2 || number === null) +
      (at ? "" : svgText(x, under + 16, steps("x"), 'class="name" text-anchor="middle"')));
    if (number !== null) html += insideSvg(layer, place, x, number, top, bottom);
  }
  const end = ends[ends.length - 1];
  if (t === null) return html + svgText(x, 26, "⋯", 'class="dots" text-anchor="middle"');
  const last = outputs[outputs.length - 1];
  const halves = directions === 2 ? `: forward ${layer.width}, then backward ${layer.width}` : "";
  return html + svgPart(`o-top-${t}`, "output", `${steps("output")}, of the top layer: ${tuple([...batch, last])}${halves}`,
    arrowUp(x, end.top + 4, 22, [...batch, last]) +
    svgText(x, 14, steps("output"), 'class="name" text-anchor="middle"'));
}

/** An arrow upwards with the shape beside it; without a head where the line goes on. */
function arrowUp(x, from, to, shape, head = true) {
  const points = [[x, from], [x, to]];
  return svgLine(points, 'class="hit"') + svgLine(points, `class="arrow" ${head ? HEAD : ""}`) +
    svgText(x + 9, (from + to) / 2 + 5, svgShape(shape));
}

/** The way of data inside a layer at one step: to the cell of each direction, and from them to the joined output. */
function insideSvg(layer, place, x, number, top, bottom) {
  const forward = bottom - 22 - place.row / 2;
  const line = (points, arrow = true) => svgLine(points, `class="arrow" ${arrow ? HEAD : ""}`);
  if (layer.directions === 1) {
    return line([[x, bottom], [x, forward + NODE.height / 2]]) + line([[x, forward - NODE.height / 2], [x, top + 4]], false);
  }
  const backward = top + 46 + place.row / 2, { shift } = place, left = x - shift, right = x + shift;
  const y = bottom - 10, bar = top + 6;
  const width = layer.outputs[number].value / 2, kind = layer.outputs[number].kind;
  const half = (from, way) => `<rect class="node ${way}" x="${from}" y="${bar}" width="${shift}" height="18" rx="3"/>` +
    svgText(from + shift / 2, bar + 13, width, `class="half d-${kind}" text-anchor="middle"`);
  return line([[x, bottom], [x, y], [left, y], [left, forward + NODE.height / 2]]) +
    line([[x, y], [right, y], [right, backward + NODE.height / 2]]) +
    line([[left, forward - NODE.height / 2], [left, bar + 20]]) + line([[right, backward - NODE.height / 2], [right, bar + 20]]) +
    half(x - shift, "forward") + half(x, "backward");
}
