// A spectrogram on a canvas: short-time Fourier transforms of 512 samples, in decibels.

const SIZE = 512;
const HOP = 128;
const RANGE = 70; // dB

export function spectrogram(canvas, { samples, rate }, top) {
  const frames = Math.max(1, Math.floor((samples.length - SIZE) / HOP)), bins = Math.min(SIZE / 2, Math.ceil((top * SIZE) / rate));
  const window = Float32Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));
  const levels = new Float32Array(frames * bins);
  let most = -Infinity;
  for (let frame = 0; frame < frames; frame++) {
    const real = new Float32Array(SIZE), imaginary = new Float32Array(SIZE);
    for (let n = 0; n < SIZE; n++) real[n] = samples[frame * HOP + n] * window[n];
    transform(real, imaginary);
    for (let bin = 0; bin < bins; bin++) {
      const level = 10 * Math.log10(real[bin] ** 2 + imaginary[bin] ** 2 + 1e-12);
      levels[frame * bins + bin] = level;
      most = Math.max(most, level);
    }
  }
  const ink = getComputedStyle(canvas).getPropertyValue("--ink").trim().split(/\s+/).map(Number);
  const image = new ImageData(frames, bins);
  for (let frame = 0; frame < frames; frame++) {
    for (let bin = 0; bin < bins; bin++) {
      const place = 4 * ((bins - 1 - bin) * frames + frame);
      image.data.set(ink, place);
      image.data[place + 3] = 255 * Math.max(0, 1 + (levels[frame * bins + bin] - most) / RANGE) ** 1.6;
    }
  }
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.clientHeight * devicePixelRatio;
  const plain = new OffscreenCanvas(frames, bins);
  plain.getContext("2d").putImageData(image, 0, 0);
  canvas.getContext("2d").drawImage(plain, 0, 0, canvas.width, canvas.height);
}

// Cooley and Tukey's transform in place, for a power of two.
function transform(real, imaginary) {
  const size = real.length;
  for (let n = 1, turned = 0; n < size; n++) {
    let bit = size >> 1;
    for (; turned & bit; bit >>= 1) turned ^= bit;
    turned ^= bit;
    if (n < turned) {
      [real[n], real[turned]] = [real[turned], real[n]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    for (let start = 0; start < size; start += length) {
      for (let n = 0; n < length / 2; n++) {
        const angle = (-2 * Math.PI * n) / length, cosine = Math.cos(angle), sine = Math.sin(angle);
        const a = start + n, b = a + length / 2;
        const x = real[b] * cosine - imaginary[b] * sine, y = real[b] * sine + imaginary[b] * cosine;
        real[b] = real[a] - x; imaginary[b] = imaginary[a] - y;
        real[a] += x; imaginary[a] += y;
      }
    }
  }
}
