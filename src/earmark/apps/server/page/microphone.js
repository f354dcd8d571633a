// The microphone: its samples go to the service, its spectrum to the page.

const LAST = 50; // pieces: five seconds

export class Microphone {
  // `piece(buffer)`: samples; `ready(rate)`: their rate, known before the browser has given the microphone.
  static async open(piece, ready) {
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
    const context = new AudioContext();
    ready(context.sampleRate);
    const given = navigator.mediaDevices.getUserMedia({ audio });
    try {
      const [stream] = await Promise.all([given, context.audioWorklet.addModule("/page/worklet.js")]);
      await context.resume();
      return new Microphone(stream, context, piece);
    } catch (error) {
      context.close();
      given.then((stream) => stream.getTracks().forEach((track) => track.stop()), () => {});
      throw error;
    }
  }

  constructor(stream, context, piece) {
    this.stream = stream;
    this.context = context;
    this.rate = context.sampleRate;
    this.analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.75 });
    const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    const pieces = new AudioWorkletNode(context, "pieces", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    source.connect(this.analyser);
    source.connect(pieces);
    const latency = 1000 * (stream.getAudioTracks()[0].getSettings().latency || 0);
    const begins = [];
    let sent = 0;
    pieces.port.onmessage = ({ data }) => {
      sent += data.byteLength / 2;
      // Pieces come late, never early: the quickest of the last few tells when the stream began. No older ones, because
      // a microphone may leave some sound out, and its clock may go wrong.
      begins.push(performance.now() - (1000 * sent) / this.rate - latency);
      if (begins.length > LAST) begins.shift();
      this.began = Math.min(...begins);
      piece(data);
    };
  }

  close() {
    this.stream.getTracks().forEach((track) => track.stop());
    this.context.close();
  }
}
