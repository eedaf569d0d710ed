/* A layer in numbers: from the settings of the controls and a cell's table to shapes, parameters and problems. */

const SYMBOLS = { input: "input_size", hidden: "hidden_size", proj: "proj_size" };

/** The value of a size such as "4*hidden" or "input + hidden/2", as a fraction [above, below] in lowest terms. */
function fraction(text, sizes) {
  let above = 0, below = 1;
  for (const term of text.split(" + ")) {
    const [, number, factor, symbol, divisor] = /^(?:(\d+)|(?:(\d+)\*)?([a-z_]+))(?:\/(\d+))?$/.exec(term);
    const value = symbol ? Number(factor || 1) * sizes[symbol] : Number(number);
    above = above * Number(divisor || 1) + value * below;
    below *= Number(divisor || 1);
  }
  const common = gcd(above, below);
  return [above / common, below / common];
}

function gcd(a, b) { return b ? gcd(b, a % b) : a || 1; }

/** The number that a size is; only for sizes that are whole. */
function valueOf(text, sizes) { return fraction(text, sizes)[0]; }

function widthOf(shape, sizes) { return shape.reduce((width, size) => width * valueOf(size, sizes), 1); }

function symbolsOf(text) { return [...new Set(text.match(/[a-z_]+/g) || [])].sort(); }

/** One dimension of a shape: its number, what it counts (for its colour), and its name. */
function dimension(value, kind, name) { return { value, kind, name }; }

/** The dimension of a size in symbols. */
function sized(text, sizes, times = 1) {
  const symbols = symbolsOf(text);
  const named = text.replace(/[a-z_]+/g, (symbol) => SYMBOLS[symbol]).replaceAll("*", " × ");
  const name = times === 1 ? named : `${times} × ${symbols.length > 1 || text.includes("+") ? `(${named})` : named}`;
  return dimension(times * valueOf(text, sizes), symbols.length === 1 ? symbols[0] : "mixed", name);
}

/** A shape as Python prints it: (5, 3, 10), (10,), (). */
function tuple(dimensions) {
  const texts = dimensions.map((each) => String(each.value ?? each));
  return texts.length === 1 ? `(${texts[0]},)` : `(${texts.join(", ")})`;
}

function pythonBool(value) { return value ? "True" : "False"; }

/** The name of the class that makes the layer: one of torch.nn's names where it can, else Recurrent. */
function classOf(cell, settings) {
  const { layer } = cell;
  const needsRecurrent = settings.proj_size > 0 && !cell.layer_projects && !formAt(cell, 3).error;
  return layer && !needsRecurrent ? layer : "Recurrent";
}

/** Problems of the layer's arguments, in the order in which Python finds them. */
function argumentProblems(cell, settings) {
  const problems = [];
  const add = (control, type, message) => problems.push({ control, type, message, at: "layer" });
  const kind = classOf(cell, settings);
  const { hidden_size, proj_size } = settings;
  if (kind !== "Recurrent" && !cell.layer_projects && proj_size !== 0) {
    add("proj_size", "ValueError", `${kind} has no proj_size: its update mixes the old hidden state with the new ` +
      "one. LSTM has it, and so has recurra.nn.Recurrent for every cell whose state is only multiplied by matrices");
  }
  for (const name of ["input_size", "hidden_size", "num_layers"]) {
    if (settings[name] <= 0) add(name, "ValueError", `${name} must be greater than zero; got ${settings[name]}`);
  }
  if (problems.some((each) => each.control === "proj_size")) return problems;
  if (proj_size < 0) {
    add("proj_size", "ValueError", `proj_size must be positive, or zero for no projection; got ${proj_size}`);
  } else if (proj_size && proj_size >= hidden_size) {
    add("proj_size", "ValueError", `proj_size must be smaller than hidden_size=${hidden_size}; got ${proj_size}`);
  }
  const form = formOf(cell, settings);
  if (!problems.length && form.error) add("proj_size", "EquationError", inNumbers(form.error, settings));
  return problems;
}

/** A refusal of shapes, whose equations between sizes are written in numbers too. */
function inNumbers(message, { input_size, hidden_size, proj_size }) {
  const sizes = { input: input_size, hidden: hidden_size, proj: proj_size };
  return message.replace(/^  this needs (.*)$/m, (line, equations) => {
    const sides = equations.split(" and ").map((equation) => equation.split(" = ").map((side) => fraction(side, sizes)));
    if (sides.flat().some(([, below]) => below !== 1)) return line;
    const given = Object.entries(sizes).filter(([, number]) => number).map((pair) => pair.join("=")).join(", ");
    const numbers = sides.map(([[left], [right]]) => `${left} = ${right}`).join(" and ");
    const isEqual = sides.every(([[left], [right]]) => left === right);
    return `${line}: with ${given} that is ${numbers}${isEqual ? "; but equations must fit at all sizes" : ""}`;
  });
}

function formOf(cell, settings) { return formAt(cell, Number(settings.bias) + 2 * Number(settings.proj_size > 0)); }

/** A form by its place; one that is as an earlier one is the place of that. */
function formAt({ forms }, place) { return typeof forms[place] === "number" ? forms[forms[place]] : forms[place]; }

/** The problem of a size that is not whole in a layer of this width, if there is one. */
function fractionProblem(cell, form, sizes) {
  for (const [name, shape] of form.fractions) {
    for (const size of shape) {
      const [above, below] = fraction(size, sizes);
      if (below === 1) continue;
      const symbols = symbolsOf(size), given = symbols.map((symbol) => `${symbol}=${sizes[symbol]}`).join(", ");
      const part = size.match(/^(?:\d+\*)?([a-z_]+)\/(\d+)$/);
      const message = `cell '${cell.name}', \`${name}\`: size ${size} is not a whole number for ${given}: ` +
        `it would be ${above}/${below}${part ? `; ${part[1]} must be a multiple of ${part[2]}` : ""}`;
      return { control: SYMBOLS[symbols[0]], type: "EquationError", message, at: "layer" };
    }
  }
  return null;
}

/** The layers from the bottom up, as sizes of the cell's symbols, or the problem that they have. */
function layersOf(cell, form, settings, directions) {
  const layers = [];
  let width = settings.input_size;
  for (let number = 0; number < settings.num_layers; number++) {
    const sizes = { input: width, hidden: settings.hidden_size, proj: settings.proj_size };
    const problem = fractionProblem(cell, form, sizes);
    if (problem) return { problem };
    layers.push({ number, sizes, output: directions * widthOf(form.output, sizes) });
    width = layers[number].output;
  }
  const states = form.states.map((row) => cell.rows[row][4]);
  const different = cell.states.filter(
    (_, at) => new Set(layers.map(({ sizes }) => widthOf(states[at], sizes))).size > 1,
  );
  if (!different.length) return { layers };
  const message = `cell '${cell.name}': the size of state ${different.join(", ")} follows the input's, which differs ` +
    `between layers here (${settings.input_size}, then ${width}): use one layer, or equal sizes; or ` +
    `give hidden_size=[${Array(settings.num_layers).fill(settings.hidden_size).join(", ")}], and states come layer by layer`;
  return { problem: { control: "num_layers", type: "EquationError", message, at: "layer" } };
}

/** Problems of the input, in the order in which Python finds them. */
function inputProblems(kind, settings, input) {
  const shape = input.map((each) => each.value);
  if (shape.some((size) => size < 0)) {
    const negative = shape.find((size) => size < 0);
    const message = `Trying to create tensor with negative dimension ${negative}: [${shape.join(", ")}]`;
    return [{ control: settings.seq_len < 0 ? "seq_len" : "batch", type: "RuntimeError", message, at: "x" }];
  }
  if (settings.seq_len > 0) return [];
  const names = settings.batch_first ? "batch, seq_len" : "seq_len, batch";
  const wanted = settings.unbatched
    ? `${kind} input of 2 dimensions must be (seq_len, input_size=${settings.input_size}), unbatched`
    : `${kind} input must be (${names}, input_size=${settings.input_size}) ` +
      `because batch_first=${pythonBool(settings.batch_first)}`;
  const message = `${wanted}; got ${tuple(input)}: seq_len must be larger than 0 ` +
    "(recurra explain --mistake empty-sequences)";
  return [{ control: "seq_len", type: "RuntimeError", message, at: "call" }];
}

/** The dimensions of steps and batch, in the order that the settings ask for. */
function stepsAndBatch(settings) {
  const steps = dimension(settings.seq_len, "seq", "seq_len"), batch = dimension(settings.batch, "batch", "batch");
  if (settings.unbatched) return [steps];
  return settings.batch_first ? [batch, steps] : [steps, batch];
}

/** Everything that the page shows of a layer: shapes, places, parameters; or the problems that it has. */
function layerOf(cell, settings) {
  const kind = classOf(cell, settings), directions = settings.bidirectional ? 2 : 1;
  const problems = argumentProblems(cell, settings);
  const form = formOf(cell, settings);
  const input = [...stepsAndBatch(settings), dimension(settings.input_size, "input", "input_size")];
  const base = { cell, settings, kind, directions, form, input };
  if (problems.length) return { ...base, problems };
  const { layers, problem } = layersOf(cell, form, settings, directions);
  if (problem) return { ...base, problems: [problem] };
  const batch = settings.unbatched ? [] : [dimension(settings.batch, "batch", "batch")];
  const rows = dimension(directions * settings.num_layers, "rows", directions === 2 ? "num_layers × 2" : "num_layers");
  const states = cell.states.map((name, at) => {
    const shape = cell.rows[form.states[at]][4], { sizes } = layers[0];
    const features = shape.length === 1
      ? sized(shape[0], sizes) : dimension(widthOf(shape, sizes), "mixed", "features");
    return { name, features, step: [...batch, features], whole: [rows, ...batch, features] };
  });
  const outputs = layers.map(({ sizes }) => (form.output.length === 1
    ? sized(form.output[0], sizes, directions)
    : dimension(directions * widthOf(form.output, sizes), "mixed", "features")));
  const output = [...stepsAndBatch(settings), outputs[outputs.length - 1]];
  const whole = { ...base, problems: inputProblems(kind, settings, input), layers, batch, states, outputs, output };
  return { ...whole, width: output[output.length - 1].value / directions, parameters: parametersOf(whole) };
}

/** Every parameter by the name that it has in the state_dict, with its shape. */
function parametersOf({ cell, form, layers, directions }) {
  return layers.flatMap(({ number, sizes }) => ["", "_reverse"].slice(0, directions).flatMap((end) =>
    form.parameters.map((row) => {
      const [name, , , , shape] = cell.rows[row];
      return { name: `${name}_l${number}${end}`, layer: number, shape: shape.map((size) => sized(size, sizes)) };
    })));
}

function countOf(shape) { return shape.reduce((count, each) => count * BigInt(each.value), 1n); }

/** Runs of layers whose inputs have one width: all sizes in them are equal. */
function groupsOf({ layers }) {
  const groups = [];
  for (const { number, sizes } of layers) {
    const last = groups[groups.length - 1];
    if (last && last.sizes.input === sizes.input) last.to = number;
    else groups.push({ from: number, to: number, sizes });
  }
  return groups;
}

/** The multiply-adds of one step of one sequence through all layers, and those of the whole call. */
function costsOf({ form, layers, directions, settings }) {
  const ofLayer = (sizes, wanted) => form.products.reduce((count, [left, size, isVarying]) =>
    count + (isVarying === wanted ? BigInt(widthOf(left, sizes)) * BigInt(valueOf(size, sizes)) : 0n), 0n);
  const ofAll = (wanted) => BigInt(directions) * layers.reduce((sum, { sizes }) => sum + ofLayer(sizes, wanted), 0n);
  const step = ofAll(true), rows = BigInt(settings.seq_len) * BigInt(settings.unbatched ? 1 : settings.batch);
  return { step, call: rows * step + ofAll(false) };
}
