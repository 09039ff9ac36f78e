// The network of colorlib in plain JavaScript: lightness in, ab out.
//
// It is one function, so that a page can hand its text to a worker. A
// map is { height, width, channels, data }: data holds the channels of
// the first position, then those of its right neighbour, row by row.

function network(file, colours) {
  // ---- Weights: a safetensors file, a header in JSON and numbers ----

  const length = Number(new DataView(file).getBigUint64(0, true));
  const bytes = new Uint8Array(file, 8, length);
  const header = JSON.parse(new TextDecoder().decode(bytes));

  // All numbers of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
  const HALF = Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    const size = exponent ? (1 + fraction) * 2 ** (exponent - 15)
      : fraction * 2 ** -14;
    return bits >> 15 ? -size : size;
  });

  function tensor(name) {
    const { dtype, data_offsets: [from, to] } = header[name];
    const part = file.slice(8 + length + from, 8 + length + to);
    if (dtype === "F32") return new Float32Array(part);
    return Float32Array.from(new Uint16Array(part), (h) => HALF[h]);
  }

  // An activation keeps a convolution's answer between two limits.
  const LINEAR = [-Infinity, Infinity];
  const RELU = [0, Infinity], RELU6 = [0, 6];

  function layer(name, limits, norm, epsilon) {
    // A convolution, with batch normalisation folded into its weights.
    const [outputs, inputs, kernel] = header[`${name}.weight`].shape;
    const scale = new Float32Array(outputs).fill(1);
    let bias;
    if (norm) {
      const gamma = tensor(`${norm}.weight`);
      const mean = tensor(`${norm}.running_mean`);
      const variance = tensor(`${norm}.running_var`);
      for (let o = 0; o < outputs; o++)
        scale[o] = gamma[o] / Math.sqrt(variance[o] + epsilon);
      bias = tensor(`${norm}.bias`);
      for (let o = 0; o < outputs; o++) bias[o] -= mean[o] * scale[o];
    } else bias = tensor(`${name}.bias`);
    // The file has them by output, input and place in the kernel. What
    // lies side by side in a map shall lie so here: the channels.
    const depthwise = inputs === 1, places = kernel ** 2;
    const original = tensor(`${name}.weight`);
    const weights = new Float32Array(original.length);
    let from = 0;
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        for (let k = 0; k < places; k++) {
          const to = depthwise ? k * outputs + o
            : (o * places + k) * inputs + i;
          weights[to] = original[from++] * scale[o];
        }
    return { weights, bias, outputs, kernel, depthwise, limits };
  }

  // ---- Convolutions ----

  function empty(height, width, channels) {
    const data = new Float32Array(height * width * channels);
    return { height, width, channels, data };
  }

  function padded(map, kernel, stride) {
    // Zeros around a map, as TensorFlow pads one of even size: in all
    // kernel - stride, of which half, rounded down, lies before it.
    const more = kernel - stride, before = more >> 1;
    if (more === 0) return map;
    const { height, width, channels, data } = map;
    const row = width * channels;
    const result = empty(height + more, width + more, channels);
    for (let y = 0; y < height; y++) {
      const to = ((y + before) * result.width + before) * channels;
      result.data.set(data.subarray(y * row, (y + 1) * row), to);
    }
    return result;
  }

  function convolve(map, layer, stride = 1) {
    const { outputs, kernel, bias, limits: [low, high] } = layer;
    const [height, width] = [map.height / stride, map.width / stride];
    const result = empty(height, width, outputs), { data } = result;
    const input = padded(map, kernel, stride);
    (layer.depthwise ? depthwise : full)(input, layer, stride, result);
    for (let at = 0; at < data.length; at += outputs)
      for (let o = 0; o < outputs; o++) {
        const sum = data[at + o] + bias[o];
        data[at + o] = sum < low ? low : sum > high ? high : sum;
      }
    return result;
  }

  function depthwise({ width, channels, data }, layer, stride, result) {
    // Every channel has a kernel of its own.
    const { kernel, weights } = layer, sums = result.data;
    let to = 0;
    for (let y = 0; y < result.height; y++)
      for (let x = 0; x < result.width; x++, to += channels)
        for (let k = 0; k < kernel ** 2; k++) {
          const row = y * stride + Math.floor(k / kernel);
          const at = (row * width + x * stride + k % kernel) * channels;
          for (let c = 0; c < channels; c++)
            sums[to + c] += data[at + c] * weights[k * channels + c];
        }
  }

  function full({ width, channels, data }, layer, stride, result) {
    // A product of matrices. Under one row of the kernel, the numbers
    // of a map lie in one piece: they need not be copied. Taking four
    // positions and two outputs at a time, what is read is used several
    // times. Where fewer are left, the last one is computed again.
    const { kernel, weights, outputs } = layer, sums = result.data;
    const piece = kernel * channels, size = kernel * piece;
    const step = stride * channels, last = result.width - 1;
    for (let o = 0; o < outputs; o += 2) {
      const p = Math.min(o + 1, outputs - 1);
      for (let y = 0; y < result.height; y++)
        for (let x = 0; x <= last; x += 4) {
          const x1 = Math.min(x + 1, last), x2 = Math.min(x + 2, last);
          const x3 = Math.min(x + 3, last);
          let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
          for (let i = 0; i < kernel; i++) {
            const row = (y * stride + i) * width * channels;
            const at0 = row + x * step, at1 = row + x1 * step;
            const at2 = row + x2 * step, at3 = row + x3 * step;
            const u = o * size + i * piece, v = p * size + i * piece;
            for (let k = 0; k < piece; k++) {
              const w = weights[u + k], z = weights[v + k];
              const m0 = data[at0 + k], m1 = data[at1 + k];
              const m2 = data[at2 + k], m3 = data[at3 + k];
              a += m0 * w; b += m1 * w; c += m2 * w; d += m3 * w;
              e += m0 * z; f += m1 * z; g += m2 * z; h += m3 * z;
            }
          }
          const to = y * result.width;
          const t0 = (to + x) * outputs, t1 = (to + x1) * outputs;
          const t2 = (to + x2) * outputs, t3 = (to + x3) * outputs;
          sums[t0 + o] = a; sums[t1 + o] = b;
          sums[t2 + o] = c; sums[t3 + o] = d;
          sums[t0 + p] = e; sums[t1 + p] = f;
          sums[t2 + p] = g; sums[t3 + p] = h;
        }
    }
  }

  // ---- Encoder: EfficientNet-Lite2 without its classifier ----

  const net = "encoder.net";
  const has = (name) => `${name}.weight` in header;
  const stem = layer(`${net}.conv_stem`, RELU6, `${net}.bn1`, 1e-3);
  const STRIDES = [1, 2, 2, 2, 1, 2, 1];  // of the stages' first blocks
  const stages = STRIDES.map((_, stage) => {
    const blocks = [];
    for (let i = 0; has(`${net}.blocks.${stage}.${i}.conv_dw`); i++)
      blocks.push(block(`${net}.blocks.${stage}.${i}`));
    return blocks;
  });

  function block(at) {
    // More channels, a kernel for each of them, fewer channels again.
    const steps = has(`${at}.conv_pwl`)
      ? [["conv_pw", RELU6], ["conv_dw", RELU6], ["conv_pwl", LINEAR]]
      : [["conv_dw", RELU6], ["conv_pw", LINEAR]];
    return steps.map(([name, limits], i) =>
      layer(`${at}.${name}`, limits, `${at}.bn${i + 1}`, 1e-3));
  }

  function through(block, map, stride) {
    let x = map;
    for (const layer of block)
      x = convolve(x, layer, layer.depthwise ? stride : 1);
    if (stride === 1 && x.channels === map.channels)
      for (let i = 0; i < x.data.length; i++) x.data[i] += map.data[i];
    return x;
  }

  function encode(L) {
    // Maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the photograph's size.
    const image = empty(L.height, L.width, 3);
    L.data.forEach((value, i) => image.data.set(rgb(value), 3 * i));
    const maps = [];
    let x = convolve(image, stem, 2);
    stages.forEach((blocks, stage) => {
      if (STRIDES[stage] === 2) maps.push(x);
      blocks.forEach((block, i) => {
        x = through(block, x, i === 0 ? STRIDES[stage] : 1);
      });
    });
    return [...maps, x];
  }

  function rgb(L) {
    // The gray of this L in sRGB, from -1 to 1. By the digits of white
    // and matrix in lab.py, its R, G and B are not quite the same.
    const y = ((L + 1) * 50 + 16) / 116, d = 6 / 29;
    const light = y > d ? y ** 3 : 3 * d ** 2 * (y - 4 / 29);
    return [1.00000748, 0.99998959, 1.00008113].map((white) => {
      const u = white * light;
      const value = u > 0.0031308
        ? 1.055 * u ** (1 / 2.4) - 0.055 : 12.92 * u;
      return 2 * Math.min(value, 1) - 1;
    });
  }

  // ---- Decoder: enlarge, join the next finer map, convolve twice ----

  function enlarged({ height, width, channels, data }) {
    // Twice as high and wide: bilinear, between the positions' centres.
    const result = empty(2 * height, 2 * width, channels);
    const between = (to, size) => {
      const x = Math.max(to / 2 - 0.25, 0), low = Math.floor(x);
      return [low, Math.min(low + 1, size - 1), x - low];
    };
    let to = 0;
    for (let y = 0; y < 2 * height; y++) {
      const [top, bottom, down] = between(y, height);
      for (let x = 0; x < 2 * width; x++) {
        const [left, right, across] = between(x, width);
        const at = (row, column) => (row * width + column) * channels;
        const p = at(top, left), q = at(top, right);
        const r = at(bottom, left), s = at(bottom, right);
        for (let c = 0; c < channels; c++) {
          const [tl, tr] = [data[p + c], data[q + c]];
          const [bl, br] = [data[r + c], data[s + c]];
          const above = tl + across * (tr - tl);
          const below = bl + across * (br - bl);
          result.data[to++] = above + down * (below - above);
        }
      }
    }
    return result;
  }

  function joined(one, other) {
    // The channels of two maps of one size, side by side.
    const [m, n] = [one.channels, other.channels];
    const result = empty(one.height, one.width, m + n);
    for (let p = 0; p < one.height * one.width; p++) {
      const to = p * (m + n);
      result.data.set(one.data.subarray(p * m, (p + 1) * m), to);
      result.data.set(other.data.subarray(p * n, (p + 1) * n), to + m);
    }
    return result;
  }

  const joins = [0, 1, 2, 3].map((i) => [0, 1].map((k) => {
    const at = `decoder.joins.${i}.${k}`;
    return layer(`${at}.0`, RELU, `${at}.1`, 1e-5);
  }));

  function decode(maps) {
    let x = maps.pop();
    for (const [first, second] of joins) {
      x = joined(enlarged(x), maps.pop());
      x = convolve(convolve(x, first), second);
    }
    return x;
  }

  // ---- Head: how probable is each colour of a grid? Their mean ----

  const last = layer("head.last", LINEAR);
  const { centres, rarity } = colours;

  function mean(scores, { temperature, adjustment }) {
    const { height, width, channels, data } = scores;
    const ab = empty(height, width, 2);
    for (let p = 0; p < height * width; p++) {
      const z = data.slice(p * channels, (p + 1) * channels);
      for (let q = 0; q < channels; q++)
        z[q] = (z[q] + adjustment * rarity[q]) / temperature;
      const most = z.reduce((x, y) => Math.max(x, y));
      let sum = 0, a = 0, b = 0;
      for (let q = 0; q < channels; q++) {
        const share = Math.exp(z[q] - most);
        sum += share;
        a += share * centres[q][0];
        b += share * centres[q][1];
      }
      ab.data.set([a / sum, b / sum], 2 * p);
    }
    return ab;
  }

  // L: a map of one channel in [-1, 1], both sides multiples of 32.
  // Returns a and b of each position, in units of Lab.
  return (L, answer) =>
    enlarged(mean(convolve(decode(encode(L)), last), answer));
}
