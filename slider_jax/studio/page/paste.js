// A change to the aligned face, put back into the photo: the twin of slider_jax/patch.py
// and of _feathered in slider_jax/session.py, step by step. Says nothing that they do not.

export const smooth = (x) => { const t = Math.min(1, Math.max(0, x)); return t * t * (3 - 2 * t); };

const CHANNELS = 7; // paint (red, green, blue), how much of the photo goes, how much of all that shows, and from how far right and below
const PAD = 3; // zeros around a patch, as far as cubic interpolation looks

// Gaussian along both sides of [size, size, channels]; what lies outside is mirrored or zero.
function blur(values, size, channels, sigma, mirrored) {
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const total = kernel.reduce((a, b) => a + b);
  for (const [along, across] of [[size, 1], [1, size]]) {
    const out = new Float32Array(values.length);
    for (let a = 0; a < size; a++) for (let b = 0; b < size; b++) for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = 0; i <= 2 * radius; i++) {
        let from = a + i - radius;
        if (from < 0 || from >= size) { if (!mirrored) continue; from = from < 0 ? -1 - from : 2 * size - 1 - from; }
        sum += kernel[i] * values[(from * along + b * across) * channels + c];
      }
      out[(a * along + b * across) * channels + c] = sum / total;
    }
    values = out;
  }
  return values;
}

// 1 wherever the model's mask is open, softly 0 where it is shut.
export function feathered(mask, size, [low, high]) {
  const share = mask.map((m) => smooth((m - low) / (high - low)));
  return blur(widened(share, size), size, 1, size / 128, false);
}
// The largest of 3 x 3.
function widened(share, size) {
  const wide = new Float32Array(share.length);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++)
    for (let j = Math.max(0, y - 1); j <= Math.min(size - 1, y + 1); j++)
      for (let i = Math.max(0, x - 1); i <= Math.min(size - 1, x + 1); i++)
        wide[y * size + x] = Math.max(wide[y * size + x], share[j * size + i]);
  return wide;
}
// 1 where so much is painted that the photo's own detail would shine through.
function paintedOver(change, size, [low, high]) {
  const much = new Float32Array(size * size);
  for (let i = 0; i < much.length; i++) {
    const most = Math.max(...[0, 1, 2].map((n) => Math.abs(change[3 * i + n])));
    much[i] = smooth((most - low) / (high - low));
  }
  return blur(widened(much, size), size, 1, size / 64, true);
}

// Red, green and blue of [height, width, channels], bilinear, into `seen`; what lies outside repeats the border.
function look(values, width, height, channels, x, y, seen) {
  x = Math.min(width - 1, Math.max(0, x)); y = Math.min(height - 1, Math.max(0, y));
  const left = Math.floor(x), top = Math.floor(y), s = x - left, t = y - top;
  const first = (top * width + left) * channels, right = left + 1 < width ? channels : 0;
  const below = top + 1 < height ? width * channels : 0;
  for (let n = 0; n < 3; n++) {
    const at = first + n, above = values[at] * (1 - s) + values[at + right] * s;
    seen[n] = above * (1 - t) + (values[at + below] * (1 - s) + values[at + below + right] * s) * t;
  }
}

// What depends on the frame alone (`flipped`: it is of the photo's mirror image); then `paste(pixels, out, edit)` for each picture.
export function makePaster(width, height, { frame, size, feather, painted, flipped }) {
  const [[a, b, c], [d, e, f]] = frame, scale = Math.hypot(a, d), det = a * e - b * d;
  const corners = [[0, 0], [size, 0], [0, size], [size, size]].map(([u, v]) =>
    [(e * (u - c) - b * (v - f)) / det, (a * (v - f) - d * (u - c)) / det]);
  const clip = (v, low, high) => Math.min(high, Math.max(low, v));
  const side = (i, most) => {
    const low = clip(Math.floor(Math.min(...corners.map((p) => p[i]))), 0, most - 1);
    return [low, clip(Math.ceil(Math.max(...corners.map((p) => p[i]))), low + 1, most)];
  };
  const [x0, x1] = side(0, width), [y0, y1] = side(1, height);
  const step = Math.max(1, Math.floor(0.5 / scale));
  const columns = Math.ceil((x1 - x0 - 1) / step) + 1, rows = Math.ceil((y1 - y0 - 1) / step) + 1;

  // Catmull-Rom: where each point of the grid begins to look in the patch, and its weights.
  const wide = size + 2 * PAD;
  const first = new Int32Array(rows * columns).fill(-1), weights = new Float32Array(8 * rows * columns);
  const cubic = (x) => { const t = Math.abs(x); return t < 1 ? (1.5 * t - 2.5) * t * t + 1 : ((2.5 - 0.5 * t) * t - 4) * t + 2; };
  for (let j = 0, k = 0; j < rows; j++) for (let i = 0; i < columns; i++, k++) {
    const x = x0 + 0.5 + step * i, y = y0 + 0.5 + step * j;
    const u = a * x + b * y + c - 0.5, v = d * x + e * y + f - 0.5;
    if (!(u > -2 && u < size + 1 && v > -2 && v < size + 1)) continue;
    const left = Math.floor(u), top = Math.floor(v);
    first[k] = (top - 1 + PAD) * wide + left - 1 + PAD;
    for (let n = 0; n < 4; n++) {
      weights[8 * k + n] = cubic(u - left + 1 - n);
      weights[8 * k + 4 + n] = cubic(v - top + 1 - n);
    }
  }
  const edge = (i) => smooth(Math.min(i + 0.5, size - i - 0.5) / (feather * size));
  const sigma = scale > 1 ? 0.5 * Math.sqrt(scale * scale - 1) : 0;
  const layers = new Float32Array(CHANNELS * wide * wide), grid = new Float32Array(CHANNELS * rows * columns);
  const line = new Float32Array(CHANNELS * (columns + 1));

  function fill({ change, mask, before, flow }) {
    const moved = new Float32Array(3 * size * size);
    for (let i = 0; i < size * size; i++) {
      look(before, size, size, 3, i % size + size * flow[2 * i], Math.floor(i / size) + size * flow[2 * i + 1], seen);
      moved.set(seen, 3 * i);
    }
    const paint = moved.map((v, i) => before[i] + change[i] - v), over = paintedOver(paint, size, painted);
    let flat = new Float32Array(CHANNELS * size * size);
    for (let i = 0; i < size * size; i++) {
      for (let n = 0; n < 3; n++) flat[CHANNELS * i + n] = paint[3 * i + n] + over[i] * moved[3 * i + n];
      flat[CHANNELS * i + 3] = over[i];
      flat[CHANNELS * i + 4] = 255 * mask[i] * edge(i % size) * edge(Math.floor(i / size));
      const du = size * flow[2 * i], dv = size * flow[2 * i + 1];
      flat[CHANNELS * i + 5] = (e * du - b * dv) / det * (flipped ? -1 : 1);
      flat[CHANNELS * i + 6] = (a * dv - d * du) / det;
    }
    if (sigma) flat = blur(flat, size, CHANNELS, sigma, true);
    for (let y = 0; y < size; y++)
      layers.set(flat.subarray(CHANNELS * y * size, CHANNELS * (y + 1) * size), CHANNELS * ((y + PAD) * wide + PAD));
  }
  const sums = new Float64Array(CHANNELS), seen = new Float64Array(3);
  function interpolate() {
    grid.fill(0);
    for (let k = 0; k < first.length; k++) {
      if (first[k] < 0) continue;
      sums.fill(0);
      for (let j = 0; j < 4; j++) for (let i = 0; i < 4; i++) {
        const at = CHANNELS * (first[k] + j * wide + i), weight = weights[8 * k + i] * weights[8 * k + 4 + j];
        for (let n = 0; n < CHANNELS; n++) sums[n] += weight * layers[at + n];
      }
      grid.set(sums, CHANNELS * k);
    }
  }
  // `pixels` and `out` are RGBA of the rectangle. Where nothing shows, no byte differs.
  function paste(pixels, out, edit) {
    out.set(pixels);
    fill(edit);
    interpolate();
    const row = CHANNELS * columns, across = x1 - x0;
    let changed = 0;
    for (let y = 0; y < y1 - y0; y++) {
      const upper = row * Math.floor(y / step), down = (y % step) / step;
      for (let i = 0; i < row; i++)
        line[i] = grid[upper + i] + (down && down * (grid[upper + row + i] - grid[upper + i]));
      for (let x = 0; x < across; x++) {
        const i = CHANNELS * Math.floor(x / step), right = (x % step) / step;
        const mix = (n) => line[i + n] + right * (line[i + CHANNELS + n] - line[i + n]);
        const share = Math.round(clip(mix(4), 0, 255)) / 255;
        if (!share) continue;
        const over = mix(3), dx = mix(5), dy = mix(6), column = flipped ? across - 1 - x : x;
        const at = 4 * (y * across + column);
        if (dx || dy) look(pixels, across, y1 - y0, 4, column + dx, y + dy, seen);
        else for (let n = 0; n < 3; n++) seen[n] = pixels[at + n];
        let differs = 0;
        for (let n = 0; n < 3; n++) {
          out[at + n] = pixels[at + n] + (mix(n) + (1 - over) * seen[n] - pixels[at + n]) * share;
          differs |= out[at + n] ^ pixels[at + n];
        }
        if (differs) changed++;
      }
    }
    return changed;
  }
  return { x: flipped ? width - x1 : x0, y: y0, width: x1 - x0, height: y1 - y0, paste };
}
