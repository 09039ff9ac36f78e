// What is wider than the column scrolls inside its own box: the keyboard reaches the box,
// and a shadow at an edge says that there is more. (A group, not a region: the landmarks of
// a page should not be its lines of code.)
const LABELS = {
  ".pst-scrollable-table-container": "Table",
  ".cell_output .text_html": "Table",
  ".cell_output pre": "Output",
  "article pre": "Code",
  "article .math": "Formula",
};

function mark(box) {
  const hidden = box.scrollWidth - box.clientWidth;
  const wide = hidden > 1 && getComputedStyle(box).overflowX === "auto";
  box.classList.toggle("more-left", wide && box.scrollLeft > 1);
  box.classList.toggle("more-right", wide && box.scrollLeft < hidden - 1);
  if (wide) {
    const kind = Object.keys(LABELS).find((selector) => box.matches(selector));
    const caption = box.querySelector(".caption-text");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", caption?.textContent ?? LABELS[kind]);
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
}

// A formula in a line of text is a box of its own only where it does not fit.
function fit(formula) {
  const column = formula.closest("p, li, td, th, dd, dt, figcaption, div");
  const drawn = formula.querySelector("mjx-container");
  formula.classList.toggle("wide", drawn?.getBoundingClientRect().width > column.clientWidth);
  mark(formula);
}

addEventListener("load", async () => {
  const boxes = [...document.querySelectorAll(Object.keys(LABELS))];
  const inline = boxes.filter((box) => box.matches("span"));
  const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => mark(target)));
  for (const box of boxes.filter((box) => !inline.includes(box))) {
    watch.observe(box);
    box.addEventListener("scroll", () => mark(box), { passive: true });
  }
  await window.MathJax?.startup?.promise;
  const refit = () => inline.forEach(fit);
  refit();
  inline.forEach((formula) => formula.addEventListener("scroll", () => mark(formula)));
  addEventListener("resize", refit);
  addEventListener("toggle", refit, true);  // what was folded had no width
});
