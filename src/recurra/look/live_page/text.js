/* Pieces of HTML that every part of the page uses, and the lines of Python. */

function escaped(text) {
  return String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
}

/** A shape as Python prints it, each number in the colour of its dimension. */
function shapeHtml(dimensions) {
  const texts = dimensions.map(({ value, kind, name }) =>
    `<b class="d-${kind}"${name ? ` title="${escaped(name)}"` : ""}>${value}</b>`);
  return `<span class="shape">(${texts.join(", ")}${texts.length === 1 ? "," : ""})</span>`;
}

/** A shape in symbols, such as (batch, 4*hidden). */
function symbolsHtml(texts) {
  const colored = texts.map((text) => {
    const symbols = symbolsOf(text);
    return `<span class="d-${symbols.length === 1 ? symbols[0] : "mixed"}">${escaped(text)}</span>`;
  });
  return `(${colored.join(", ")}${colored.length === 1 ? "," : ""})`;
}

/** The names of a shape's dimensions: (seq_len, batch, 2 × hidden_size). */
function namesHtml(dimensions) {
  return `(${dimensions.map(({ kind, name }) => `<span class="d-${kind}">${escaped(name)}</span>`).join(", ")})`;
}

/** The end of a run of numbers in words: "layer 1", "layers 1 to 3". */
function layerRange(from, to) { return from === to ? `layer ${from}` : `layers ${from} to ${to}`; }

const LONGEST_LINE = 100;

/** The line that makes the layer. */
function constructorText({ cell, kind, settings }) {
  const words = [settings.input_size, settings.hidden_size];
  if (kind === "Recurrent") words.unshift(cell.python);
  if (settings.num_layers !== 1) words.push(`num_layers=${settings.num_layers}`);
  if (!settings.bias) words.push("bias=False");
  if (settings.batch_first) words.push("batch_first=True");
  if (settings.bidirectional) words.push("bidirectional=True");
  if (settings.proj_size !== 0) words.push(`proj_size=${settings.proj_size}`);
  const line = `layer = recurra.nn.${kind}(${words.join(", ")})`;
  return line.length <= LONGEST_LINE ? line : `layer = recurra.nn.${kind}(\n    ${words.join(", ")}\n)`;
}

/** The lines of Python that make the layer, call it, and show what comes out; up to the line that would raise. */
function pythonHtml(layer) {
  const { cell, input, problems, states, output } = layer;
  const comment = (html) => `<i>  # ${html}</i>`;
  const lines = ["import recurra", "import torch", ""];
  if (!cell.python.includes(".")) lines.push(`<i># ${escaped(cell.python)} is your own @recurra.cell</i>`);
  const raised = (at) => problems.filter((each) => each.at === at).slice(0, 1).map(
    ({ type, message }) => `<em># ${type}: ${escaped(message).replaceAll("\n", "\n# ")}</em>`);
  const step = (at, html) => { lines.push(html, ...raised(at)); return raised(at).length > 0; };
  const numbers = input.map(({ value, kind }) => `<b class="d-${kind}">${value}</b>`).join(", ");
  if (step("layer", escaped(constructorText(layer)))) return lines.join("\n");
  if (step("x", `x = torch.randn(${numbers})${comment(namesHtml(input))}`)) return lines.join("\n");
  const last = states.map(({ name }) => `${name}_n`);
  const results = last.length > 1 ? `(${last.join(", ")})` : last[0];
  if (step("call", `output, ${results} = layer(x)`)) return lines.join("\n");
  lines.push("");
  const shown = [["output", output], ...states.map(({ name, whole }) => [`${name}_n`, whole])];
  const longest = Math.max(...shown.map(([name]) => name.length));
  for (const [name, shape] of shown) {
    lines.push(`${name}.shape${" ".repeat(longest - name.length)}${comment(shapeHtml(shape))}`);
  }
  return lines.join("\n");
}
