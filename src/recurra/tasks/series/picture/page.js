const chooser = document.querySelector("#series");
chooser.addEventListener("change", () => {
  for (const each of document.querySelectorAll("[data-series]")) each.hidden = each.dataset.series !== chooser.value;
});
