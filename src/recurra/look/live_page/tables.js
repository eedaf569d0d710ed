/* The tables: what goes in and out, the rows of h_n, every variable, the state_dict. */

/** What goes in and what comes out, as large numbers with the names of the dimensions below them. */
function boxesHtml({ input, output, states }) {
  const given = [["x", "goes in", input], ["output", "comes out: the top layer, every step", output]];
  for (const { name, whole } of states) {
    given.push([`${name}_n`, `comes out: every layer, its last step; ${name}_0 that goes in is as large`, whole]);
  }
  return given.map(([name, words, shape]) => `<div class="box" data-kind="${name}">
    <h3><code>${escaped(name)}</code></h3>
    <p class="dims">${shape.map((each) => `<span class="dim d-${each.kind}"><b>${each.value}</b>` +
      `<small>${escaped(each.name)}</small></span>`).join("")}</p>
    <p class="quiet">${escaped(words)}</p></div>`).join("");
}

/** The layer and the direction of a row of h_n. */
function placeOf({ directions }, row) {
  return { layer: Math.floor(row / directions), isBackward: row % directions === 1 };
}

/** The part of output that equals a row of h_n, as Python; empty where there is none. */
function sliceOf(layer, row) {
  const { settings, directions, form, width } = layer, { layer: number, isBackward } = placeOf(layer, row);
  if (number !== settings.num_layers - 1 || !form.gives_state) return "";
  const step = isBackward ? "0" : "-1";
  const places = settings.unbatched ? [step] : settings.batch_first ? [":", step] : [step, ":"];
  if (directions === 2) places.push(isBackward ? `${width}:` : `:${width}`);
  while (places[places.length - 1] === ":") places.pop();
  return `output[${places.join(", ")}]`;
}

function rowNames({ states }, row, end) { return states.map(({ name }) => `${name}_${end}[${row}]`); }

/** The rows of h_n: which layer and direction each is, and where it is found in the output. */
function rowsHtml(layer) {
  const { states, settings, form } = layer, last = settings.seq_len - 1;
  const rows = [];
  for (let row = 0; row < states[0].whole[0].value; row++) {
    const { layer: number, isBackward } = placeOf(layer, row);
    const slice = sliceOf(layer, row);
    const top = number === settings.num_layers - 1;
    const found = slice ? `<code>${slice}</code>` : top && !form.gives_state
      ? "nowhere: the output is no state of this cell" : "nowhere: it holds the top layer";
    const read = isBackward ? `0, the last that it reads: it runs from ${last} to 0` : `${last}, the last that it reads`;
    rows.push(`<tr data-part="hn-${row}"><th scope="row"><button type="button">${
      rowNames(layer, row, "n").map((name) => `<code>${escaped(name)}</code>`).join(" ")}</button></th>
      <td>layer ${number}</td><td>${isBackward ? "← backward" : "→ forward"}</td>
      <td>after step ${last === 0 ? "0, the only one" : read}</td>
      <td>${found}</td></tr>`);
  }
  const name = `${states[0].name}_n`;
  return `<table><caption class="sr">The rows of ${escaped(name)}</caption><thead><tr><th>row</th><th>layer</th>
    <th>direction</th><th>the state</th><th>where <code>output</code> has <code>${escaped(states[0].name)}</code></th></tr>
    </thead><tbody>${rows.join("")}</tbody></table>`;
}

/** Lines of Python that take h_n and output apart. */
function takingApartHtml(layer) {
  const { states, settings, directions, batch, output, width } = layer;
  const hidden = `${states[0].name}_n`, features = states[0].features;
  const parts = [dimension(settings.num_layers, "rows", "num_layers"), dimension(directions, "rows", "directions")];
  const apart = [...parts, ...batch, features];
  const code = (dimensions) => dimensions.map((each) => each.value).join(", ");
  const lines = [[`${hidden}.view(${code(apart)})`, `${namesHtml(apart)}: row = layer × directions + direction`]];
  const cut = [...output.slice(0, -1), dimension(2, "rows", "directions"),
    dimension(width, output[output.length - 1].kind, "features")];
  if (directions === 2) {
    lines.push([`output.unflatten(-1, (2, ${width}))`, `${shapeHtml(cut)} ${namesHtml(cut)}; 0 is forward, 1 backward`]);
    const joined = [...batch, dimension(2 * features.value, features.kind, `2 × ${features.name}`)];
    lines.push([`torch.cat((${hidden}[-2], ${hidden}[-1]), dim=-1)`,
      `${shapeHtml(joined)}: the whole sequence, read in both directions`]);
  } else {
    lines.push([`${hidden}[-1]`, `${shapeHtml([...batch, features])}: the whole sequence, as the top layer read it`]);
  }
  return lines.map(([line, words]) => `${escaped(line)}<i>  # ${words}</i>`).join("\n");
}

const ROLES = [
  ["Comes in", "input", "state"],
  ["Parameters, learnt", "parameter"],
  ["Computed from parameters alone, once for a call", "once"],
  ["Computed in every step", "step", "next"],
];

/** Every variable of every layer. Layers whose sizes are equal share a column. */
function variablesHtml(layer) {
  const { cell, form } = layer, groups = groupsOf(layer);
  const rows = form.rows.map((number) => cell.rows[number]);
  const columns = 4 + groups.length;
  let html = "";
  for (const [title, ...roles] of ROLES) {
    const chosen = rows.filter((row) => roles.includes(row[1]));
    if (!chosen.length) continue;
    html += `<tr class="head"><th colspan="${columns}" scope="colgroup">${title}</th></tr>`;
    for (const row of chosen) html += variableHtml(layer, groups, row);
  }
  const heads = groups.map(({ from, to }) => `<th class="n">${layerRange(from, to)}</th>`).join("");
  const title = layer.directions === 2 ? "Every variable; the same in both directions" : "Every variable";
  return `<table><caption class="sr">${title}</caption><thead><tr><th>name</th><th>what it is</th>
    <th>where it comes from</th><th>shape</th>${heads}</tr></thead><tbody>${html}</tbody></table>`;
}

/** The rows or columns of a parameter that single variables read, such as "rows 0:20 for a_i, 20:40 for a_f". */
function piecesHtml(pieces, rank, sizes) {
  const [axis] = pieces[0], what = rank === 1 ? "" : axis === 0 ? "rows " : "columns ", ranges = pieces.map(([, begin, end, readers]) =>
    `<code>${valueOf(begin, sizes)}:${valueOf(end, sizes)}</code> for <code>${escaped(readers)}</code>`);
  return what + ranges.join(", ");
}

function variableHtml({ batch }, groups, [name, role, meaning, right, shape, isVarying, pieces]) {
  const symbols = [...(isVarying ? batch.map((each) => each.name) : []), ...shape];
  const numbers = groups.map(({ sizes }, at) => {
    const numbersOf = (group) => [...(isVarying ? batch : []), ...shape.map((size) => sized(size, group.sizes))];
    const isNew = at > 0 && tuple(numbersOf(groups[at])) !== tuple(numbersOf(groups[at - 1]));
    return `<td class="n">${isNew ? `<mark>${shapeHtml(numbersOf(groups[at]))}</mark>` : shapeHtml(numbersOf(groups[at]))}</td>`;
  }).join("");
  const sources = {
    input: "<code>x[t]</code>; in the layers above, the output of the layer below",
    state: `the step before; <code>${escaped(name)}_0</code> at the first step`,
    parameter: pieces.length ? piecesHtml(pieces, shape.length, groups[0].sizes) : `<code>${escaped(name)}_l0</code> in the state_dict`,
  };
  const kind = role === "next" ? "state" : role, look = /^t\d+$/.test(name) && right ? ' class="between"' : "";
  return `<tr data-kind="${kind}"${look}><th scope="row"><code>${escaped(name)}</code></th>
    <td>${escaped(meaning)}</td><td class="from">${sources[role] || `<code>${escaped(right)}</code>`}</td>
    <td class="sym">${symbolsHtml(symbols)}</td>${numbers}</tr>`;
}

/** The parameters by their names in the state_dict. */
function parametersHtml({ parameters }) {
  const rows = parameters.map(({ name, shape }) => `<tr><th scope="row"><code>${escaped(name)}</code></th>
    <td class="n">${shapeHtml(shape)}</td>
    <td class="n">${countOf(shape).toLocaleString("en")}</td></tr>`);
  const total = parameters.reduce((sum, { shape }) => sum + countOf(shape), 0n);
  return { total, html: `<table><caption class="sr">The parameters</caption><thead><tr><th>name in state_dict</th>
    <th class="n">shape</th><th class="n">numbers</th></tr></thead><tbody>${rows.join("")}</tbody>
    <tfoot><tr><th scope="row">all</th><td></td><td class="n">${total.toLocaleString("en")}</td></tr></tfoot></table>` };
}
