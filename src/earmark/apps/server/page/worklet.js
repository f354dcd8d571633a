// Samples of the microphone, in pieces of a tenth of a second, as 16-bit integers.

class Pieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 10);
    this.begin();
  }

  begin() {
    this.piece = new Int16Array(this.size);
    this.filled = 0;
  }

  process([channels]) {
    const samples = channels[0];
    if (!samples) return true;
    for (let n = 0; n < samples.length; n++) {
      this.piece[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(samples[n] * 32767)));
      if (this.filled === this.size) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

registerProcessor("pieces", Pieces);
