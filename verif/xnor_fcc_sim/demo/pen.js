// SPDX-License-Identifier: Apache-2.0
// The sheet: strokes by mouse, finger and keys. Points are [x, y] from 0 to 1.

const STEP = 1 / 28; // of the arrow keys
const NEAR = 0.004; // points closer than that to the last one say nothing new

export class Pen {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed; // called with whether the pen is still down
    this.cursor = [0.5, 0.3];
    this.keyed = false; // the pen was lowered by a key
    this.keys = false; // keys move it
    this.held = null; // the pointer that draws
    this.open = true;
    this.width = 2.6 / 28;
    this.filled = false;
    this.image = null;
    this.strokes = [];
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.up(event));
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => {
      this.keys = canvas.matches(":focus-visible");
      this.paint();
    });
    canvas.addEventListener("blur", () => this.paint());
  }

  clear() {
    this.strokes = [];
    this.image = null;
    this.held = null;
    this.keyed = false;
    this.paint();
  }

  // Show an image, a canvas, instead of strokes.
  show(image) {
    this.clear();
    this.image = image;
    this.paint();
  }

  start(point) {
    if (this.image) {
      this.strokes = []; // but this stroke has begun
      this.image = null;
    }
    this.strokes.push([point]);
  }

  add(point) {
    const stroke = this.strokes.at(-1);
    const [x, y] = stroke.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) < NEAR) return false;
    stroke.push(point);
    return true;
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [
      within((event.clientX - box.left) / box.width),
      within((event.clientY - box.top) / box.height),
    ].map((value) => Math.round(value * 1e4) / 1e4);
  }

  down(event) {
    if (!this.open || this.held !== null || event.button !== 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.held = event.pointerId;
    this.keyed = this.keys = false;
    this.cursor = this.place(event);
    this.start(this.cursor);
    this.tell(true);
  }

  move(event) {
    if (event.pointerId !== this.held) return;
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    let more = false;
    for (const each of all.length ? all : [event]) {
      this.cursor = this.place(each);
      more = this.add(this.cursor) || more;
    }
    if (more) this.tell(true);
  }

  up(event) {
    if (event.pointerId !== this.held) return;
    this.held = null;
    this.tell(false);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves && this.open) {
      this.keys = true;
      const by = moves[event.key];
      this.cursor = this.cursor.map((value, axis) => {
        const next = value + by[axis] * STEP;
        return Math.round(Math.min(0.98, Math.max(0.02, next)) * 1e4) / 1e4;
      });
      if (this.keyed && this.add(this.cursor)) this.tell(true);
      else this.paint();
    } else if (event.key === " " && this.open) {
      if (event.repeat) return event.preventDefault();
      this.keyed = !this.keyed;
      if (this.keyed) this.start(this.cursor);
      this.tell(this.keyed);
    } else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
      this.canvas.dispatchEvent(new Event("clear"));
    } else {
      return;
    }
    event.preventDefault();
  }

  tell(moving) {
    this.paint();
    this.changed(moving);
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const size = this.canvas.width;
    context.clearRect(0, 0, size, size);
    if (this.image) {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.image, 0, 0, size, size);
    }
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = this.width * size;
    context.strokeStyle = context.fillStyle = "#fff";
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0] * size, stroke[0][1] * size);
      for (const [x, y] of stroke) context.lineTo(x * size, y * size);
      if (this.filled && stroke.length > 2) context.fill();
      context.stroke();
    }
    if (this.open && this.keys && document.activeElement === this.canvas) this.cross(context, size);
  }

  cross(context, size) {
    const [x, y] = this.cursor.map((value) => value * size);
    context.lineWidth = 3;
    context.strokeStyle = this.keyed ? "#ff9b3d" : "#5db0ff";
    context.beginPath();
    context.arc(x, y, 12, 0, 7);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 12 * dx, y + 12 * dy);
      context.lineTo(x + 24 * dx, y + 24 * dy);
    }
    context.stroke();
  }
}

// A canvas of an image, one pixel each.
export function pictureOf(pixels, side, colours) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const data = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    for (let c = 0; c < 3; c++) {
      data.data[4 * i + c] = pixels[i * colours + (colours === 3 ? c : 0)];
    }
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
  return canvas;
}
