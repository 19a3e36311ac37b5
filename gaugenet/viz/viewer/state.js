// --- state and camera -------------------------------------------------------------------------------------------------
const START = { yaw: scene.yaw, pitch: scene.pitch, zoom: 1, panX: 0, panY: 0 };
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const state = { ...START, mesh: 0, smooth: scene.smooth, wire: false, frames: false, spin: !calm, theme: scene.theme, up: "auto",
  chosen: -1, pinned: -1, sorted: false, field: "", step: 0, playing: false, arrows: true, streaks: true };

function readHash() {
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key in START || key === "mesh" || key === "step") { if (Number.isFinite(+value)) state[key] = +value; }
    else if (["smooth", "wire", "frames", "arrows", "streaks", "spin"].includes(key)) state[key] = value !== "0";
    else if (key === "field") state.field = value;
    else if (key === "theme" && (value === "light" || value === "dark")) state.theme = value;
    else if (key === "up" && Object.hasOwn(UPS, value)) state.up = value;
  }
  state.mesh = Math.max(0, Math.min(scene.meshes.length - 1, Math.round(state.mesh)));
  state.step = Math.max(0, Math.round(state.step));
}

let renderer = null, mesh = null, dirty = true, cameras = [];

const ratio = () => canvas.width / stage.clientWidth;  // canvas pixels to a CSS pixel

/** Pixels to a unit length at which the turning mesh fits into a panel of this size, below its caption. */
function fitting(width, height) {
  const tall = 2 * (mesh.tall + 0.32 * mesh.wide), wide = 2.1 * mesh.wide;
  return Math.max(1, Math.min((height - 84 * ratio()) / tall, (width - 12 * ratio()) / wide));
}

/** Each panel's place on the canvas: in as many columns as show the mesh largest. */
function boxes() {
  const n = mesh.panels.length, [w, h] = [canvas.width, canvas.height], rowsOf = (columns) => Math.ceil(n / columns);
  const sizes = mesh.panels.map((_, i) => fitting(w / (i + 1), h / rowsOf(i + 1))), columns = sizes.indexOf(Math.max(...sizes)) + 1;
  const edge = (length, i, count) => Math.round(length * i / count), rows = rowsOf(columns);
  return mesh.panels.map((_, k) => {
    const row = Math.floor(k / columns), abreast = row < rows - 1 ? columns : n - columns * row, column = k % columns;
    const [left, right] = [column, column + 1].map((i) => edge(w, i, abreast)), [top, bottom] = [row, row + 1].map((i) => edge(h, i, rows));
    return [left, h - bottom, right - left, bottom - top];
  });
}

function updateCameras() {
  const [y, p] = [state.yaw, state.pitch].map((angle) => angle * Math.PI / 180);
  const [cy, sy, cp, sp] = [Math.cos(y), Math.sin(y), Math.cos(p), Math.sin(p)];
  const turn = [cy, 0, -sy, -sp * sy, cp, -sp * cy, cp * sy, sp, cp * cy];
  cameras = boxes().map((box) => {
    const [, , w, h] = box, fit = state.zoom * fitting(w, h), lower = 8 * ratio() / fit;  // the caption is above
    return { box, turn, pitch: p, scale: [2 * fit / w, 2 * fit / h], pan: [state.panX, state.panY - lower], pixel: 1 / fit };
  });
}

function paint() {
  dirty = false;
  updateCameras();
  renderer.draw(state, cameras);
  placeCaptions();
  Object.assign(canvas.dataset, { yaw: state.yaw.toFixed(2), pitch: state.pitch.toFixed(2), zoom: state.zoom.toFixed(3), mesh: state.mesh, step: state.step });
  root.dataset.state = "ready";
}

const STEPS_PER_SECOND = 8;
let before = 0, waited = 0;
function tick(now) {
  const seconds = Math.min((now - before) / 1000, 0.1);
  before = now;
  if (state.spin) { state.yaw = (state.yaw + 14 * seconds) % 360; dirty = true; }
  waited = state.playing ? waited + seconds : 0;
  if (waited > 1 / STEPS_PER_SECOND) { waited = 0; showStep(state.step + 1); }
  if (dirty && renderer) paint();
  requestAnimationFrame(tick);
}

function resize() {
  const dense = Math.min(devicePixelRatio || 1, 2);
  const [w, h] = [stage.clientWidth, stage.clientHeight].map((size) => Math.max(1, Math.round(size * dense)));
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  dirty = true;
}
