// The whole, small: where the changes are, what is looked at, found and selected.

const HEIGHT = 36;

export class WholeMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  // Count the changes of each pixel.
  prepare(axis, width, ratio) {
    Object.assign(this, { axis, width, ratio });
    this.canvas.width = width * ratio;
    this.canvas.height = HEIGHT * ratio;
    this.counts = new Uint32Array(width + 1);
    for (const at of axis.at) this.counts[Math.round(this.#x(at))]++;
  }

  #x(at) {
    const { low, high } = this.axis;
    return (Math.min(Math.max(at, low), high) - low) * (this.width / (high - low));
  }

  at(x) {
    const { low, high } = this.axis;
    return low + (x / this.width) * (high - low);
  }

  paint(view, colours, span, matches) {
    const { context: c, width, counts, axis, ratio } = this;
    const fill = (colour, from, to, y = 0, height = HEIGHT) => {
      c.fillStyle = colour;
      c.fillRect(from, y, to - from, height);
    };
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    fill(colours.ground, 0, width);
    counts.forEach((n, i) => {
      const height = Math.min(4 + 6 * Math.log2(n), HEIGHT - 6);
      if (n) fill(colours.quiet, i - 0.5, i + 1.5, HEIGHT - 2 - height, height);
    });
    for (const place of matches?.some ?? []) {
      const x = this.#x(axis.at[place]);
      fill(colours.found, x - 1, x + 1, 0, 8);
    }
    if (span) {
      const [a, b] = span.map((at) => this.#x(at));
      fill(colours.brush, a, b);
      for (const x of [a, b]) fill(colours.focus, x - 1, x + 1);
    }
    const [a, b] = [this.#x(view.low), Math.max(this.#x(view.high), this.#x(view.low) + 4)];
    c.globalAlpha = 0.55;
    fill(colours.unknown, 0, a);
    fill(colours.unknown, b, width);
    c.globalAlpha = 1;
    c.strokeStyle = colours.ink;
    c.lineWidth = 2;
    c.strokeRect(a + 1, 1, b - a - 2, HEIGHT - 2);
  }
}
