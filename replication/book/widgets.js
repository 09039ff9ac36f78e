// The book's widgets: plain JavaScript on plain HTML, no library and no server.
// Each function is given the element that `widgets.py` wrote; what is in it
// before is what a reader without JavaScript sees.

function follow(input, change) {
  // Follow a slider, and set it up once.
  input.addEventListener("input", change);
  change();
}

function drag(area, move) {
  // Call move(x, y), each in 0..1, while a pointer is down on an area.
  const at = (event) => {
    const box = area.getBoundingClientRect();
    const share = (value, size) => Math.min(Math.max(value / size, 0), 1);
    move(share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height));
  };
  area.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    area.setPointerCapture(event.pointerId);
    at(event);
  });
  area.addEventListener("pointermove", (event) => event.buttons && at(event));
}

function set(input, value) {
  input.value = value;
  input.dispatchEvent(new Event("input"));
}

function compare(root) {
  // Two pictures on top of each other, the second seen right of the slider.
  const [, above] = root.querySelectorAll("img");
  const input = root.querySelector("input");
  root.classList.add("on");
  follow(input, () => {
    above.style.clipPath = `inset(0 0 0 ${input.value}%)`;
    root.style.setProperty("--at", input.value + "%");
  });
  drag(root.querySelector(".pictures"), (x) => set(input, Math.round(100 * x)));
}

function srgb(L, a, b) {
  // CIE L*a*b* (D65) to sRGB in 0..255; null outside of the gamut.
  const y = (L + 16) / 116;
  const [X, Y, Z] = [y + a / 500, y, y - b / 200].map((t, i) =>
    [0.95047, 1, 1.08883][i] * (t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29)));
  const linear = [
    3.2404542 * X - 1.5371385 * Y - 0.4985314 * Z,
    -0.969266 * X + 1.8760108 * Y + 0.041556 * Z,
    0.0556434 * X - 0.2040259 * Y + 1.0572252 * Z,
  ];
  if (linear.some((v) => v < -0.002 || v > 1.002)) return null;
  return linear.map((v) => {
    const c = Math.min(Math.max(v, 0), 1);
    return Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055));
  });
}

function plane(root) {
  // The plane of a and b at one L, and the colour at one point of it.
  const [L, a, b] = root.querySelectorAll("input");
  const canvas = root.querySelector("canvas");
  const context = canvas.getContext("2d");
  const size = canvas.width, half = 128;
  const message = root.querySelector("output"), swatch = root.querySelector(".swatch");
  root.classList.add("on");

  function drawPlane() {
    const image = context.createImageData(size, size);
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) {
        const at = (k) => ((k + 0.5) / size) * 2 * half - half;
        const rgb = srgb(+L.value, at(column), -at(row));
        if (rgb) image.data.set([...rgb, 255], 4 * (row * size + column));
      }
    return image;
  }

  function drawAxes() {
    context.fillStyle = "#808080";
    context.fillRect(0, size / 2, size, 1);
    context.fillRect(size / 2, 0, 1, size);
    context.font = "italic 16px serif";
    context.fillText("a", size - 14, size / 2 - 6);
    context.fillText("b", size / 2 + 6, 16);
  }

  let image, lightness;
  function draw() {
    if (lightness !== L.value) [image, lightness] = [drawPlane(), L.value];
    context.putImageData(image, 0, 0);
    drawAxes();
    const x = ((+a.value + half) / (2 * half)) * size;
    const y = ((half - b.value) / (2 * half)) * size;
    for (const [colour, width] of [["#fff", 5], ["#000", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 7, 0, 7);
      context.stroke();
    }
    const rgb = srgb(+L.value, +a.value, +b.value);
    swatch.style.background = rgb ? `rgb(${rgb})` : "none";
    message.textContent = `L ${L.value}, a ${a.value}, b ${b.value}: ` +
      (rgb ? `R ${rgb[0]}, G ${rgb[1]}, B ${rgb[2]}` : "no screen can show it");
  }

  for (const input of [L, a, b]) input.addEventListener("input", draw);
  drag(canvas, (x, y) => {
    a.value = Math.round(2 * half * x - half);
    set(b, Math.round(half - 2 * half * y));
  });
  draw();
}

function heat(t) {
  // From transparent over red to yellow.
  return [255, Math.max(0, 1.5 * t - 0.5) * 255, 0, 210 * t];
}

function attention(root) {
  // What the position under the pointer attends to.
  const { rows, columns } = root.dataset;
  const largest = root.dataset.largest.split(" ").map(Number);  // weights, uniform = 1
  const weights = Uint8Array.from(atob(root.dataset.weights), (c) => c.charCodeAt(0));
  const [row, column] = root.querySelectorAll("input");
  const canvas = root.querySelector("canvas"), message = root.querySelector("output");
  const context = canvas.getContext("2d");
  const count = rows * columns, cell = canvas.width / columns;
  root.classList.add("on");

  function draw() {
    const target = (row.value - 1) * columns + (column.value - 1);
    const alpha = weights.subarray(target * count, (target + 1) * count);
    context.clearRect(0, 0, canvas.width, canvas.height);
    let best = 0;
    alpha.forEach((weight, source) => {
      if (weight > alpha[best]) best = source;
      const [red, green, blue, opacity] = heat(weight / 255);
      context.fillStyle = `rgba(${red},${green},${blue},${opacity / 255})`;
      context.fillRect((source % columns) * cell, Math.floor(source / columns) * cell, cell, cell);
    });
    for (const [colour, width] of [["#fff", 6], ["#000", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect((column.value - 1) * cell, (row.value - 1) * cell, cell, cell);
    }
    message.textContent = `Row ${row.value}, column ${column.value} attends most to row ` +
      `${Math.floor(best / columns) + 1}, column ${(best % columns) + 1}, with ` +
      `${largest[target].toFixed(1)} times the uniform weight.`;
  }

  for (const input of [row, column]) input.addEventListener("input", draw);
  drag(root.querySelector(".pictures"), (x, y) => {
    row.value = Math.min(rows, Math.floor(y * rows) + 1);
    set(column, Math.min(columns, Math.floor(x * columns) + 1));
  });
  draw();
}
