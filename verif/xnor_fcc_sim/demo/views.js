// SPDX-License-Identifier: Apache-2.0
// What the core answered: pictures of bits, margins, scores. Nothing is computed here.

const ZERO = [0x18, 0x22, 0x2c], ONE = [0xee, 0xf2, 0xf6], WRONG = [0xff, 0x4d, 0x45];
const SVG = "http://www.w3.org/2000/svg";
const whole = new Intl.NumberFormat("en-GB");
const signed = new Intl.NumberFormat("en-GB", { signDisplay: "exceptZero" });

export const figure = (value) => whole.format(value);

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// An element with attributes and children; text is never read as HTML.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// Values of messages.packed.
function unpack({ bits, data }, count) {
  const bytes = bytesOf(data);
  if (bits === 8) return bytes;
  const values = new Uint8Array(count), each = 8 / bits, mask = (1 << bits) - 1;
  for (let i = 0; i < count; i++) {
    values[i] = (bytes[Math.floor(i / each)] >> (bits * (each - 1 - (i % each)))) & mask;
  }
  return values;
}

// A picture of messages._picture: bits or levels in rows, or map by map.
export function picture(shown, title) {
  const { width, height, across, gap, maps, most } = shown;
  const down = Math.ceil(maps / across), area = width * height;
  const count = maps > 1 || shown.gap ? maps * area : shown.count;
  const values = unpack(shown, count);
  const wide = across * (width + gap) - gap, high = down * (height + gap) - gap;
  const canvas = make("canvas", { role: "img", "aria-label": title, width: wide, height: high });
  const context = canvas.getContext("2d");
  const image = context.createImageData(wide, high);
  const put = (i, colour) => {
    const map = Math.floor(i / area), inside = i % area;
    const x = (map % across) * (width + gap) + (inside % width);
    const y = Math.floor(map / across) * (height + gap) + Math.floor(inside / width);
    image.data.set([...colour, 255], 4 * (y * wide + x));
  };
  for (let i = 0; i < count; i++) {
    const part = Math.min(1, values[i] / most);
    put(i, ZERO.map((zero, c) => Math.round(zero + part * (ONE[c] - zero))));
  }
  for (const i of shown.marked) put(i, WRONG);
  context.putImageData(image, 0, 0);
  return canvas;
}

function differing(count, what) {
  return count ? [make("b", {}, ` ${figure(count)} ${what} not those of the reference.`)] : [];
}

// The image as it was sent.
export function sent(canvas, title) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The image that the core was sent");
  return make("figure", {}, make("h3", {}, "The image"), canvas,
    make("figcaption", {}, title ? `As those of ${title} are made.` : "As it was sent."));
}

export function inputs(shown) {
  const bits = shown.what === "bits";
  return make(
    "figure", { "data-wrong": shown.wrong },
    make("h3", {}, "What the core saw"),
    picture(shown, "What the core saw"),
    make("figcaption", {}, bits ? `${figure(shown.ones)} of ${figure(shown.count)} bits are 1. `
      : `${shown.what[0].toUpperCase()}${shown.what.slice(1)}. `,
      ...differing(shown.wrong, "are")),
  );
}

export function layer(shown, index) {
  const kind = shown.what === "bits" ? "bits" : "upper bits";
  const caption = make("figcaption", {},
    `${figure(shown.ones)} of ${figure(shown.count)} ${kind} are 1.`,
    ...differing(shown.wrong, "are"), ...differing(shown.wrong_sums, "sums are"));
  if (shown.closest.length) {
    const near = shown.closest.map(([neuron, margin]) => `${neuron} (${signed.format(margin)})`);
    caption.append(` Closest to switching: neurons ${near.join(", ")}.`);
  }
  return make(
    "figure",
    { "data-layer": index, "data-wrong": shown.wrong, class: shown.maps > 1 ? "many" : "one" },
    make("h3", {}, `Layer ${index}: ${shown.title}`),
    picture(shown, `Activations of layer ${index}`),
    ...histogram(shown, `Margins of layer ${index}`),
    caption,
  );
}

function histogram({ edges, counts }, title) {
  const width = 300, height = 52;
  const low = edges[0], high = edges.at(-1), most = Math.max(1, ...counts);
  const at = (edge) => ((edge - low) / (high - low)) * width;
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title,
    preserveAspectRatio: "none",
  });
  counts.forEach((count, i) => {
    const tall = (count / most) * height, x = at(edges[i]);
    svg.append(draw("rect", {
      class: edges[i] < 0 ? "below" : "above", x, y: height - tall,
      width: Math.max(0.5, at(edges[i + 1]) - x - 0.6), height: tall,
    }));
  });
  svg.append(draw("line", { x1: at(0), x2: at(0), y1: 0, y2: height, "vector-effect": "non-scaling-stroke" }));
  const marks = [signed.format(low), "P − T = 0", signed.format(high)];
  return [svg, make("div", { class: "scale", "aria-hidden": "true" },
    ...marks.map((text) => make("span", {}, text)))];
}

// A row for each class. `wanted` is the reference's scores, null while they are not known.
export function scores(seen, wanted, answer, names) {
  const low = Math.min(0, ...seen), high = Math.max(1, ...seen), reach = high - low;
  return seen.map((score, c) => {
    const svg = draw("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    const [from, to] = [Math.min(0, score), Math.max(0, score)].map((x) => (1000 * (x - low)) / reach);
    svg.append(draw("rect", { x: from, y: 0, width: Math.max(2, to - from), height: 10 }));
    const zero = (1000 * -low) / reach;
    svg.append(draw("line", { x1: zero, x2: zero, y1: 0, y2: 10, "vector-effect": "non-scaling-stroke" }));
    const differs = wanted !== null && wanted[c] !== score;
    return make(
      "tr", { class: `${c === answer ? "answer" : ""} ${differs ? "differs" : ""}`.trim() },
      make("th", { scope: "row" }, names[c] ?? String(c)),
      make("td", {}, make("div", { class: "score" }, svg, make("span", {}, figure(score)))),
      make("td", { class: "number" }, wanted === null ? "…" : figure(wanted[c])),
    );
  });
}

// Which part of its time an image spent where; `phases` are [what, cycles].
export function time(box, phases) {
  const look = (what, i) => what === "waiting" ? "phase-idle" : what === "result" ? "phase-end"
    : `phase-${(i - 1) % 4}`;
  const total = phases.reduce((sum, [, cycles]) => sum + cycles, 0);
  const bar = box.querySelector(".bar"), list = box.querySelector("ul");
  bar.replaceChildren(...phases.map(([what, cycles], i) => {
    const part = make("i", { class: look(what, i), title: `${what}: ${figure(cycles)} cycles` });
    part.style.width = `${(100 * cycles) / total}%`;
    return part;
  }));
  list.replaceChildren(...phases.map(([what, cycles], i) =>
    make("li", {}, make("i", { class: look(what, i) }), `${what} `, make("b", {}, figure(cycles)))));
  box.hidden = false;
}
