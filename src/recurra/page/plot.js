for (const plot of document.querySelectorAll(".plot")) {
  const svg = plot.querySelector("svg"), tip = plot.querySelector(".tip"), cursor = plot.querySelector(".cursor");
  const points = JSON.parse(svg.dataset.points), places = points.places, heads = points.heads.split("\n");
  const rows = Object.entries(points.rows).map(([name, texts]) => [name, texts.split("|")]);
  let at = -1;
  const element = (name, text, parent) => {
    const made = parent.appendChild(document.createElement(name));
    made.textContent = text;
    return made;
  };
  const hide = () => { tip.style.visibility = cursor.style.visibility = "hidden"; };
  const show = (place) => {
    at = place;
    const found = rows.filter(([, texts]) => texts[at]);
    if (!found.length) return hide();
    tip.textContent = "";
    element("strong", heads[at], tip);
    const list = element("dl", "", tip);
    for (const [name, texts] of found) {
      element("dt", name, list);
      element("dd", texts[at], list);
    }
    tip.style.visibility = cursor.style.visibility = "visible";
  };
  const put = (y) => {
    const box = svg.getBoundingClientRect(), x = (places[at] / svg.viewBox.baseVal.width) * box.width;
    const left = x + 16 + tip.offsetWidth > box.width ? x - 16 - tip.offsetWidth : x + 16;
    cursor.style.left = x + "px";
    tip.style.left = Math.max(left, 0) + "px";
    tip.style.top = Math.max(0, Math.min(y, box.height - tip.offsetHeight)) + "px";
  };
  const nearest = (x) => {
    let best = 0;
    for (let place = 1; place < places.length; place++)
      if (Math.abs(places[place] - x) < Math.abs(places[best] - x)) best = place;
    return best;
  };
  const showKey = (place) => {
    show(Math.max(0, Math.min(places.length - 1, place)));
    put(0);
  };
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    show(nearest(((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width));
    put(event.clientY - box.top - tip.offsetHeight / 2);
  };
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) showKey(at < 0 ? places.length - 1 : at); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: places.length - 1 };
    if (event.key === "Escape") return hide();
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    showKey(steps[event.key]);
  });
}
