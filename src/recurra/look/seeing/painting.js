for (const figure of document.querySelectorAll(".painted")) {
  const text = figure.querySelector(".text"), readout = figure.querySelector(".readout"), hint = readout.textContent;
  const tokens = [...text.querySelectorAll("b")];
  let at = -1;
  const hide = () => {
    tokens[at]?.classList.remove("at");
    readout.textContent = hint;
  };
  const show = (place) => {
    hide();
    at = Math.max(0, Math.min(tokens.length - 1, place));
    tokens[at].classList.add("at");
    const shown = tokens[at].textContent.replace(/↵?\n/g, "↵").replace(/^ +$/, (spaces) => "␣".repeat(spaces.length));
    readout.textContent = `token ${at + 1}: ${shown} · `;
    readout.appendChild(document.createElement("strong")).textContent = tokens[at].dataset.v;
  };
  const follow = (event) => {
    const token = event.target.closest("b");
    if (token) show(tokens.indexOf(token));
  };
  text.addEventListener("pointermove", follow);
  text.addEventListener("pointerdown", follow);
  text.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && document.activeElement !== text) hide();
  });
  text.addEventListener("focus", () => { if (text.matches(":focus-visible")) show(Math.max(at, 0)); });
  text.addEventListener("blur", hide);
  text.addEventListener("keydown", (event) => {
    const line = (way) => {
      const here = tokens[at].getBoundingClientRect();
      for (let place = at + way; tokens[place]; place += way) {
        const there = tokens[place].getBoundingClientRect();
        if (Math.abs(there.top - here.top) > 4 && (way > 0 ? there.left >= here.left : there.left <= here.left)) return place;
      }
      return way > 0 ? tokens.length - 1 : 0;
    };
    const moves = {
      ArrowLeft: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => line(-1), ArrowDown: () => line(1),
      Home: () => 0, End: () => tokens.length - 1,
    };
    if (event.key === "Escape") return hide();
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(moves[event.key]());
    tokens[at].scrollIntoView({ block: "nearest" });
  });
}
