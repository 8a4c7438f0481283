// SPDX-License-Identifier: Apache-2.0
// The page: what somebody gives goes to the server, what the simulated core answers is shown.

import { Pen, pictureOf } from "./pen.js";
import { bytesOf, figure, inputs, layer, make, scores, sent, time } from "./views.js";

const by = (id) => document.getElementById(id);
const LARGEST = 4_000_000; // bytes of a picture, as in subjects.py
const ROW = 21; // test images at a time
const NANOSECONDS = 20; // of a clock cycle at 50 MHz

let socket = null, lost = 0, subject = null;
let number = 0, oldest = 0; // of the last image, and of the first whose answer is of interest
let waiting = false; // for an answer, before which nothing new is asked
let image = null; // as the core was sent it
let wish = null, pending = null; // what is shown; what goes next
const pen = new Pen(by("sheet"), (moving) => {
  select(null);
  show({ kind: "strokes", strokes: pen.strokes, moving });
});

// ---- to the server

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Ask for an image. One is on its way at a time, and the newest behind it.
function show(next) {
  if (next.kind !== "strokes" || wish?.kind !== "strokes") oldest = number + 1;
  wish = next;
  tell("");
  hint();
  if (subject === null || subject.phase !== "ready" && subject.phase !== "down") return;
  pending = next;
  if (!waiting) ask();
}

function ask() {
  if (pending === null) return;
  number += 1;
  waiting = true;
  say({ do: "show", id: number, ...pending });
  pending = null;
}

function clear() {
  pen.clear();
  select(null);
  wish = pending = null;
  oldest = number + 1; // what still comes is of something else
  waiting = false;
  say({ do: "clear" });
  tell("");
  blank();
}

function choose(geometry) {
  const network = by("network").value;
  say({ do: "choose", network, geometry });
  if (subject === null) return;
  subject.phase = "changing"; // until the server tells how it stands
  status({ phase: "changing", text: `Changing to ${network}.` });
}

// ---- from the server

const hear = {
  state(message) {
    const before = subject;
    subject = message;
    const other = before === null || before.network !== message.network;
    const again = before === null || before.phase !== "ready" || other;
    choices(message);
    status(message);
    if (other) anew(message, before?.title === message.title);
    if (message.phase === "ready" && again && wish !== null) {
      waiting = false;
      show({ ...wish, moving: false });
    }
  },
  row(message) {
    row(message);
  },
  image(message) {
    const { side, colours } = subject;
    image = pictureOf(bytesOf(message.pixels), side, colours);
    if (wish?.kind !== "strokes") pen.show(image);
    label(message.label);
    tell(message.note ? `${message.note[0].toUpperCase()}${message.note.slice(1)}.` : "");
  },
  quick(message) {
    // The next drawing may go; this one is looked into if none does.
    answer(message, null);
    mark("wait", "Comparing every bit …");
    by("layers").classList.add("stale");
    done();
  },
  traced(message) {
    inside(message);
    if (message.id < number) return; // the pen has moved on
    answer(message, message.wanted);
    agreement(message);
    time(by("phases"), message.phases);
    done();
  },
  empty(message) {
    blank();
    tell(message.text);
    done();
  },
  problem(message) {
    if (Number.isInteger(message.id)) blank(); // what is shown is of another image
    tell(message.text, true);
    choices(subject);
    done();
  },
  note(message) {
    tell(message.text);
  },
};

function done() {
  waiting = false;
  ask();
}

function connect() {
  const address = new URL("talk", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onopen = () => {
    lost = 0;
    waiting = false;
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    // An answer to what is no longer shown.
    const late = Number.isInteger(message.id) && message.id < oldest;
    if (!late) hear[message.kind]?.(message);
    else if (message.kind !== "image" && message.id === number) done();
  };
  socket.onclose = () => {
    subject = null;
    lost += 1;
    status({ phase: "down", text: "The server does not answer: xnor-fcc demo starts it." });
    setTimeout(connect, Math.min(5000, 500 * lost));
  };
}

// ---- what is seen

function tell(text, bad = false) {
  const box = by("message");
  box.hidden = !text;
  box.textContent = text;
  box.classList.toggle("fail", bad);
}

function status({ phase, text, seconds = 0 }) {
  const box = by("state"), since = performance.now() - 1000 * seconds;
  clearInterval(status.timer);
  box.hidden = phase === "ready";
  const busy = phase !== "ready" && phase !== "down";
  box.className = `state ${busy ? "busy" : phase}`;
  const write = () => {
    const passed = Math.round((performance.now() - since) / 1000);
    box.textContent = busy && passed > 2 ? `${text} ${passed} s` : text;
  };
  write();
  if (busy) status.timer = setInterval(write, 1000);
  by("layers").classList.toggle("stale", phase !== "ready");
}

function choices(state) {
  if (state === null) return;
  const option = (name, chosen, why) => {
    const element = make("option", { value: name }, name);
    element.selected = name === chosen;
    element.disabled = Boolean(why);
    if (why) element.title = why;
    return element;
  };
  by("network").replaceChildren(...state.networks.map((name) => option(name, state.network)));
  by("geometry").replaceChildren(
    ...state.geometries.map(({ name, why }) => option(name, state.geometry, why)),
  );
  const kinds = state.kinds.length ? ` (${state.kinds.join(", ")})` : "";
  by("core").textContent = `${state.widths}${kinds} in ${state.label || "a core that is not built yet"}`;
}

// Another network: its images, its pen. `same`: those of the network before.
function anew(state, same) {
  pen.open = state.drawable;
  pen.filled = state.filled;
  by("sheet").parentElement.classList.toggle("closed", !state.drawable);
  by("keys").firstChild.hidden = !state.drawable;
  const fits = wish === null || state.drawable || wish.kind !== "strokes";
  if (!fits || (wish?.kind === "test" && !same)) {
    pen.clear();
    wish = null;
  }
  blank();
  by("tests").hidden = by("random").hidden = state.tests === 0;
  by("first").max = Math.max(0, state.tests - 1);
  if (state.tests) say({ do: "row", first: same ? Number(by("first").value) : 0 });
  hint();
}

function hint() {
  const empty = wish === null && !pen.strokes.length && !pen.image;
  by("hint").hidden = !empty;
  by("hint").textContent = subject && !subject.drawable
    ? "Choose a test image, or drop a picture"
    : subject?.filled ? "Draw the outline of a piece of clothing" : "Draw a digit";
}

function row({ first, labels, pixels }) {
  const { side, colours, names } = subject, bytes = bytesOf(pixels), size = side * side * colours;
  by("first").value = first;
  by("row").replaceChildren(
    ...labels.map((right, i) => {
      const canvas = pictureOf(bytes.subarray(i * size, (i + 1) * size), side, colours);
      const name = `Test image ${first + i}, a ${names[right]}`;
      const button = make("button",
        { type: "button", "aria-label": name, title: name, "data-number": first + i }, canvas);
      button.onclick = () => test(first + i);
      return button;
    }),
  );
  select(wish?.kind === "test" ? wish.number : null);
}

function test(which) {
  show({ kind: "test", number: which });
  select(which);
}

function select(which) {
  for (const button of by("row").children) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.number) === which));
  }
}

function label(right) {
  label.right = right;
  by("label").textContent = "";
}

function answer(message, wanted) {
  const { names } = subject, name = names[message.answer], digit = by("digit");
  digit.textContent = name;
  digit.className = name.length > 2 ? "word" : "";
  const microseconds = ((message.cycles * NANOSECONDS) / 1000).toFixed(1);
  by("cycles").replaceChildren(
    `${figure(message.cycles)} clock cycles `,
    make("small", {}, `last beat in to class out; ${microseconds} µs at 50 MHz`),
  );
  if (label.right !== null && label.right !== undefined) {
    const right = label.right === message.answer;
    by("label").replaceChildren(make("span", { class: right ? "right" : "misread" },
      right ? `Rightly: the test set says ${names[label.right]}.`
        : `Misread: the test set says ${names[label.right]}.`));
  }
  const rows = scores(message.scores, wanted, message.answer, names);
  by("scores").tBodies[0].replaceChildren(...rows);
}

function mark(state, text, about = "") {
  by("agree").dataset.image = about; // the number of the image
  by("agree").className = `mark ${state}`;
  by("agree").textContent = text;
}

function agreement(message) {
  const reference = subject.names[message.wanted_answer];
  if (message.agree) {
    mark("pass", `The reference agrees: it answers ${reference}, and all ${figure(message.hidden)} `
      + `hidden ${message.layers.every(({ what }) => what === "bits") ? "bits" : "levels"}, `
      + `${figure(message.sums)} sums `
      + `and ${message.scores.length} scores are the same.`, message.id);
    return;
  }
  mark("fail", `The reference does not agree: it answers ${reference}; `
    + `${figure(message.wrong_values)} values and ${figure(message.wrong_sums)} sums differ.`,
  message.id);
}

function inside(message) {
  const box = by("layers");
  const maps = message.layers.some((each) => each.maps > 1);
  box.classList.toggle("maps", maps);
  box.classList.remove("stale");
  const given = image === null ? [] : [sent(image, subject.title)];
  box.replaceChildren(...given, inputs(message.inputs), ...message.layers.map(layer));
}

function blank() {
  by("digit").textContent = "–";
  by("digit").className = "none";
  by("cycles").textContent = "–";
  by("label").textContent = "";
  mark("", "");
  by("scores").tBodies[0].replaceChildren();
  by("phases").hidden = true;
  by("layers").classList.remove("stale");
  by("layers").replaceChildren(make("p", { class: "meta" }, "Nothing has gone through it yet."));
  hint();
}

// ---- who gives something

async function take(file) {
  if (!file) return;
  if (file.size > LARGEST) return tell("A picture may have 4 MB at most.", true);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  select(null);
  pen.clear();
  show({ kind: "picture", name: file.name, data: btoa(text) });
}

by("clear").onclick = clear;
by("sheet").addEventListener("clear", clear);
by("random").onclick = () => {
  if (subject === null) return;
  const which = Math.floor(Math.random() * subject.tests);
  say({ do: "row", first: which });
  test(which);
};
by("file").onchange = ({ target }) => {
  take(target.files[0]);
  target.value = "";
};
by("network").onchange = () => choose(null);
by("geometry").onchange = () => choose(by("geometry").value);
by("choice").onsubmit = (event) => event.preventDefault();
const turn = (first) => {
  if (subject?.tests) say({ do: "row", first: Math.min(subject.tests - 1, Math.max(0, first || 0)) });
};
by("first").onchange = () => turn(Math.round(Number(by("first").value)));
by("before").onclick = () => turn(Number(by("first").value) - ROW);
by("after").onclick = () => turn(Number(by("first").value) + ROW);
by("row").onkeydown = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const all = [...by("row").children], at = all.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  all[Math.min(all.length - 1, Math.max(0, at + step))].focus();
};
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    by("sheet").parentElement.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
}
blank();
connect();
