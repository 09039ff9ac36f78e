// A photograph of any size in, a colour photograph of the same size out:
// what colorlib/tool/pipeline.py and colorlib/lab.py do, in plain JavaScript.
//
// It is one function, so that a page can hand its text to a worker. Maps
// are those of network.js: { height, width, channels, data }.

function pipeline(network, size, report) {
  const STRIDE = 32;  // the network takes sides that are multiples of it
  const GUIDED = Math.max(256, 2 * size);  // as in pipeline.py
  const LONGEST = 4;  // times the shorter side
  const STRIP = 1 << 20;  // pixels that are worked on at once
  const MOST = 100e6;  // pixels of a photograph
  const SHOWN = 1600;  // longer side of the gray picture that is shown

  // ---- Colours. Curves are looked up: a photograph has many pixels ----

  const STEPS = 65535, D = 6 / 29;
  const table = (length, curve) =>
    Float32Array.from({ length }, (_, i) => curve(i / (length - 1)));
  const LIGHT = table(256, (v) =>
    v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92);
  const VALUE = table(STEPS + 1, (u) =>
    255 * (u > 0.0031308 ? 1.055 * u ** (1 / 2.4) - 0.055 : 12.92 * u));
  const CURVE = table(STEPS + 1, (u) =>
    u > D ** 3 ? Math.cbrt(u) : u / (3 * D ** 2) + 4 / 29);
  const straight = (t) => t > D ? t ** 3 : 3 * D ** 2 * (t - 4 / 29);
  const looked = (curve, u) =>
    curve[Math.round(STEPS * Math.min(Math.max(u, 0), 1))];

  // How much light the pixel at a place gives: Y of CIE XYZ, 0..1.
  const luminance = (rgba, at) => 0.212671 * LIGHT[rgba[at]] +
    0.715160 * LIGHT[rgba[at + 1]] + 0.072169 * LIGHT[rgba[at + 2]];
  const gray = (rgba, at) =>
    Math.round(looked(VALUE, luminance(rgba, at)));

  function lightness(gray) {
    // L in [-1, 1] of a value of gray in 0..255.
    const value = Math.round(Math.min(Math.max(gray, 0), 255));
    return (116 * looked(CURVE, LIGHT[value]) - 16) / 50 - 1;
  }

  function recolour(rgba, at, a, b) {
    // Give a pixel another a and b, and leave it its L.
    const y = luminance(rgba, at), root = looked(CURVE, y);
    const x = 0.95047 * straight(root + a / 500);
    const z = 1.08883 * straight(root - b / 200);
    const rgb = [
      3.2404813 * x - 1.5371515 * y - 0.4985363 * z,
      -0.9692549 * x + 1.8759900 * y + 0.0415559 * z,
      0.0556466 * x - 0.2040413 * y + 1.0573111 * z,
    ];
    for (let c = 0; c < 3; c++) rgba[at + c] = looked(VALUE, rgb[c]);
  }

  // ---- Maps: resize, flip, pad, cut ----

  const linear = { reach: 1, at: (t) => Math.max(1 - Math.abs(t), 0) };
  const cubic = (A) => ({ reach: 2, at: (t) => {  // Keys 1981
    const x = Math.abs(t);
    if (x < 1) return ((A + 2) * x - A - 3) * x * x + 1;
    return x < 2 ? A * (((x - 5) * x + 8) * x - 4) : 0;
  } });

  // As Python does: a half becomes the even one of its neighbours.
  const round = (x) =>
    x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);

  function shares(from, to, kernel) {
    // Of which of `from` places each of `to` places is a mean, and by
    // which weights. Made smaller, it is a mean of all that it covers.
    const scale = from / to, wide = Math.max(scale, 1);
    return Array.from({ length: to }, (_, i) => {
      const centre = (i + 0.5) * scale - 0.5, reach = wide * kernel.reach;
      const first = Math.max(Math.ceil(centre - reach), 0);
      const last = Math.min(Math.floor(centre + reach), from - 1);
      const weights = [];
      for (let k = first; k <= last; k++)
        weights.push(kernel.at((k - centre) / wide));
      const sum = weights.reduce((x, y) => x + y);
      return { first, weights: weights.map((weight) => weight / sum) };
    });
  }

  function empty(height, width, channels) {
    const data = new Float32Array(height * width * channels);
    return { height, width, channels, data };
  }

  function across({ height, width, channels, data }, to) {
    // Each row as `shares` say.
    const result = empty(height, to.length, channels);
    let next = 0;
    for (let y = 0; y < height; y++)
      for (const { first, weights } of to)
        for (let c = 0; c < channels; c++, next++)
          for (let k = 0; k < weights.length; k++) {
            const at = (y * width + first + k) * channels + c;
            result.data[next] += weights[k] * data[at];
          }
    return result;
  }

  function down({ width, channels, data }, to) {
    // Each column.
    const result = empty(to.length, width, channels);
    const row = width * channels, sums = result.data;
    to.forEach(({ first, weights }, y) => {
      for (let k = 0; k < weights.length; k++)
        for (let i = 0; i < row; i++)
          sums[y * row + i] += weights[k] * data[(first + k) * row + i];
    });
    return result;
  }

  const resize = (map, height, width, kernel) => down(
    across(map, shares(map.width, width, kernel)),
    shares(map.height, height, kernel));

  function taken(map, height, width, column) {
    // A map of another size, of some columns of the one given; beyond its
    // end at the right and below, its border is repeated.
    const { channels } = map, result = empty(height, width, channels);
    let to = 0;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++) {
          const row = Math.min(y, map.height - 1);
          result.data[to++] =
            map.data[(row * map.width + column(x)) * channels + c];
        }
    return result;
  }

  const clamp = (map, most) => {
    map.data.forEach((value, i) => {
      map.data[i] = Math.min(Math.max(value, -most), most);
    });
    return map;
  };

  // ---- Prediction and upsampling ----

  function predict(L, answer) {
    // The mean of what the network predicts for a photograph and for its
    // mirror image.
    const scale = size / Math.min(L.height, L.width);
    const [height, width] = [L.height, L.width].map((side) =>
      Math.max(8, Math.min(LONGEST * size, round(side * scale))));
    const small = clamp(resize(L, height, width, cubic(-0.5)), 1);
    const up = (side) => Math.ceil(side / STRIDE) * STRIDE;
    const [ab, mirrored] = [false, true].map((mirror) => {
      report(`Predicting colours, ${mirror ? "mirrored" : "as it is"} ...`);
      const last = width - 1;
      const column = mirror ? (x) => last - x : (x) => x;
      const given = taken(small, up(height), up(width),
        (x) => column(Math.min(x, last)));
      return taken(network(given, answer), height, width, column);
    });
    ab.data.forEach((value, i) => {
      ab.data[i] = (value + mirrored.data[i]) / 2;
    });
    return ab;
  }

  function upsample(ab, L) {
    // Joint bilateral upsampling: bicubic, then each position takes the
    // mean of the colours around it, of those with nearly its lightness.
    const { height, width } = L;
    const large = clamp(resize(ab, height, width, cubic(-0.75)), 128);
    const reach = 1.5 * Math.min(height / ab.height, width / ab.width);
    if (reach <= 1.5) return large;
    const radius = round(2 * reach), around = [];
    for (let i = -radius; i <= radius; i++)
      for (let j = -radius; j <= radius; j++) {
        const apart = i ** 2 + j ** 2;
        if (apart > radius ** 2) continue;
        around.push([i, j, Math.exp(-apart / (2 * reach ** 2))]);
      }
    const reflected = (at, size) => {
      const inside = Math.abs(at);
      return Math.max(inside < size ? inside : 2 * size - 2 - inside, 0);
    };
    const result = empty(height, width, 2);
    for (let y = 0, p = 0; y < height; y++)
      for (let x = 0; x < width; x++, p++) {
        let sum = 0, a = 0, b = 0;
        for (const [i, j, near] of around) {
          const row = reflected(y + i, height);
          const q = row * width + reflected(x + j, width);
          const apart = (L.data[p] - L.data[q]) / 2 / 0.025;
          const weight = near * Math.exp(-(apart ** 2) / 2);
          sum += weight;
          a += weight * large.data[2 * q];
          b += weight * large.data[2 * q + 1];
        }
        result.data.set([a / sum, b / sum], 2 * p);
      }
    return result;
  }

  // ---- A photograph, read and written in strips ----

  function drawn(bitmap, width, height) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    return context;
  }

  function strips(context, work) {
    // work(strip, top) for each; if it returns true, strip is put back.
    const { width, height } = context.canvas;
    const rows = Math.max(1, Math.floor(STRIP / width));
    for (let top = 0; top < height; top += rows) {
      const part = Math.min(rows, height - top);
      const strip = context.getImageData(0, top, width, part);
      if (work(strip, top)) context.putImageData(strip, 0, top);
    }
  }

  function read(context) {
    // L, reduced to GUIDED; and whether anything is transparent.
    const { width, height } = context.canvas;
    const scale = Math.min(1, GUIDED / Math.min(width, height));
    const [h, w] = [height, width].map((side) =>
      Math.min(LONGEST * GUIDED, Math.max(1, round(side * scale))));
    const data = new Uint8ClampedArray(height * w);  // rounds, as Pillow
    const narrow = { height, width: w, channels: 1, data };
    const kernel = cubic(-0.5);
    const columns = shares(width, w, kernel);
    let transparent = false;
    strips(context, (strip, top) => {
      const part = empty(strip.height, width, 1), rgba = strip.data;
      for (let p = 0; p < part.data.length; p++) {
        part.data[p] = gray(rgba, 4 * p);
        transparent ||= rgba[4 * p + 3] < 255;
      }
      data.set(across(part, columns).data, top * w);
    });
    const L = down(narrow, shares(height, h, kernel));
    L.data.forEach((value, i) => { L.data[i] = lightness(value); });
    return { L, transparent };
  }

  function join(context, ab) {
    // The photograph's own L with ab, enlarged.
    const { width, height } = context.canvas;
    const wide = across(ab, shares(ab.width, width, linear));
    const rows = shares(ab.height, height, linear);
    strips(context, (strip, top) => {
      const { data } = down(wide, rows.slice(top, top + strip.height));
      for (let p = 0; p < data.length / 2; p++)
        recolour(strip.data, 4 * p, data[2 * p], data[2 * p + 1]);
      return true;
    });
  }

  function shown(bitmap) {
    // The photograph in gray, large enough for a screen.
    const { width, height } = bitmap;
    const scale = Math.min(1, SHOWN / Math.max(width, height));
    const context = drawn(bitmap, ...[width, height].map((side) =>
      Math.max(1, Math.round(side * scale))));
    strips(context, ({ data }) => {
      for (let at = 0; at < data.length; at += 4)
        data.fill(gray(data, at), at, at + 3);
      return true;
    });
    return context;
  }

  const encoded = (context, type) =>
    context.canvas.convertToBlob({ type, quality: 0.95 });

  async function colorized(bitmap, answer) {
    const { width, height } = bitmap;
    report("Reading the photograph ...");
    const context = drawn(bitmap, width, height);
    const { L, transparent } = read(context);
    const ab = predict(L, answer);
    report("Colouring the photograph at its own size ...");
    join(context, upsample(ab, L));
    // A JPEG is many times smaller, but has no transparency.
    const type = transparent ? "image/png" : "image/jpeg";
    const [before, after] = await Promise.all([
      encoded(shown(bitmap), type), encoded(context, type)]);
    return { before, after, width, height };
  }

  // Colorize a file: two pictures as files, in gray and in colour.
  return async (file, answer) => {
    const bitmap = await createImageBitmap(file).catch(() => {
      throw Error(`${file.name} cannot be read as a photograph: ` +
        "choose a JPEG, PNG or WebP file.");
    });
    const { width, height } = bitmap;
    try {
      if (width * height <= MOST) return await colorized(bitmap, answer);
    } catch ({ message }) {
      throw Error(`${file.name} cannot be colorized in this browser ` +
        `(${message}): try a smaller photograph or another browser.`);
    } finally {
      bitmap.close();
    }
    throw Error(`${file.name} has ${width} x ${height} pixels; this page ` +
      `takes photographs of up to ${MOST / 1e6} million.`);
  };
}
