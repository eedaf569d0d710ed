const numbersOf = ({ texts, numbers, bits, digits }) => {
  if (texts !== undefined) return texts.split("|");
  const bytes = Uint8Array.from(atob(numbers), (each) => each.charCodeAt(0)), view = new DataView(bytes.buffer);
  const size = bits / 8, found = [];
  for (let at = 0; at < bytes.length; at += size) {
    const number = size === 1 ? view.getInt8(at) : size === 2 ? view.getInt16(at, true) : view.getInt32(at, true);
    found.push(number === -(2 ** (bits - 1)) ? "nan" : (number / 10 ** digits).toFixed(digits));
  }
  return found;
};
for (const map of document.querySelectorAll(".heat-map")) {
  const cells = map.querySelector(".cells"), cursor = map.querySelector(".cursor"), readout = map.querySelector(".readout");
  const content = JSON.parse(cells.dataset.cells), { rows, columns } = content;
  let numbers = null, row = 0, column = 0;
  const hint = readout.textContent;
  const show = () => {
    numbers ??= numbersOf(content);
    cursor.hidden = false;
    cursor.style.left = (column / columns.length) * 100 + "%";
    cursor.style.top = (row / rows.length) * 100 + "%";
    readout.textContent = `${rows[row]} · ${columns[column]} · `;
    readout.appendChild(document.createElement("b")).textContent = numbers[row * columns.length + column];
  };
  const hide = () => {
    cursor.hidden = true;
    readout.textContent = hint;
  };
  const follow = (event) => {
    const box = cells.getBoundingClientRect();
    const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    row = within((event.clientY - box.top) / box.height, rows.length);
    column = within((event.clientX - box.left) / box.width, columns.length);
    show();
  };
  cells.addEventListener("pointermove", follow);
  cells.addEventListener("pointerdown", follow);
  cells.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && document.activeElement !== cells) hide();
  });
  cells.addEventListener("focus", show);
  cells.addEventListener("blur", hide);
  cells.addEventListener("keydown", (event) => {
    const moves = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity],
      PageUp: [-Infinity, 0], PageDown: [Infinity, 0],
    };
    if (event.key === "Escape") return hide();
    const move = moves[event.key];
    if (!move || event.metaKey || event.altKey) return;
    event.preventDefault();
    row = Math.max(0, Math.min(rows.length - 1, row + move[0]));
    column = Math.max(0, Math.min(columns.length - 1, column + move[1]));
    show();
    cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
