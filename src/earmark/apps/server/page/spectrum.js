// A ring of bars around the button: what the microphone hears, from low notes at the bottom to high ones at the top.

const BARS = 96;
const LOWEST = 60; // Hz
const HIGHEST = 9000; // Hz
const QUIET = 90; // level, of 255, below which a bar stays short: a room without music
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Ring {
  constructor(canvas) {
    this.canvas = canvas;
    this.levels = new Float32Array(BARS / 2);
    this.frame = 0;
  }

  start(microphone) {
    this.bytes = new Uint8Array(microphone.analyser.frequencyBinCount);
    const draw = (moment) => {
      this.frame = requestAnimationFrame(draw);
      if (still.matches && moment - (this.drawn || 0) < 1000) return;
      this.drawn = moment;
      microphone.analyser.getByteFrequencyData(this.bytes);
      this.measure(microphone.rate);
      this.paint();
    };
    this.frame = requestAnimationFrame(draw);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.levels.fill(0);
    this.paint();
  }

  measure(rate) {
    const bin = rate / 2 / this.bytes.length;
    for (let n = 0; n < this.levels.length; n++) {
      const [low, high] = [n, n + 1].map((edge) => LOWEST * (HIGHEST / LOWEST) ** (edge / this.levels.length));
      let most = 0;
      for (let at = Math.floor(low / bin); at <= Math.ceil(high / bin); at++) most = Math.max(most, this.bytes[at] || 0);
      this.levels[n] = Math.max(0, (most - QUIET) / (255 - QUIET)) ** 1.5;
    }
  }

  paint() {
    const size = this.canvas.clientWidth * devicePixelRatio;
    if (!size) return;
    if (this.canvas.width !== Math.round(size)) this.canvas.width = this.canvas.height = Math.round(size);
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, size, size);
    pen.strokeStyle = getComputedStyle(this.canvas).color;
    pen.lineWidth = Math.max(size * 0.0085, 1.5);
    pen.lineCap = "round";
    const inner = size * 0.365;
    for (let n = 0; n < BARS; n++) {
      const level = this.levels[n < BARS / 2 ? n : BARS - 1 - n];
      const angle = Math.PI / 2 + (2 * Math.PI * (n + 0.5)) / BARS;
      const outer = inner + size * (0.004 + 0.115 * level);
      pen.globalAlpha = 0.25 + 0.75 * level;
      pen.beginPath();
      pen.moveTo(size / 2 + inner * Math.cos(angle), size / 2 + inner * Math.sin(angle));
      pen.lineTo(size / 2 + outer * Math.cos(angle), size / 2 + outer * Math.sin(angle));
      pen.stroke();
    }
  }
}
