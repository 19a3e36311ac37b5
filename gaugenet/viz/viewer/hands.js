// --- hands --------------------------------------------------------------------------------------------------------------
function touched() {
  $("hint").style.opacity = 0;
  if (state.spin) { state.spin = false; refreshTools(); }
}
function orbit(dx, dy) {
  state.yaw = (state.yaw - 0.45 * dx) % 360;
  state.pitch = Math.max(-90, Math.min(90, state.pitch + 0.45 * dy));
  dirty = true;
}
function pan(dx, dy) {
  const unit = ratio() * cameras[0].pixel;
  state.panX += dx * unit; state.panY -= dy * unit;
  dirty = true;
}
function zoom(factor) { state.zoom = Math.max(0.2, Math.min(40, state.zoom * factor)); dirty = true; }

const pointers = new Map();
function moved(event) {
  const last = pointers.get(event.pointerId);
  if (!last) { hover(event); return; }
  const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
  if (pointers.size === 2) {
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
    const gap = (p) => Math.hypot(p.x - other.x, p.y - other.y);
    pan(dx / 2, dy / 2);
    if (gap(last) > 5) zoom(gap({ x: event.clientX, y: event.clientY }) / gap(last));
  } else if (last.move || event.shiftKey) pan(dx, dy);
  else orbit(dx, dy);
  Object.assign(last, { x: event.clientX, y: event.clientY });
}
function release(event) { pointers.delete(event.pointerId); canvas.classList.toggle("held", pointers.size > 0); }

/** The face under the pointer: a ray against every face, in the coordinates of the mesh. */
function pick(event) {
  const area = canvas.getBoundingClientRect();
  const x = (event.clientX - area.left) * ratio(), y = canvas.height - (event.clientY - area.top) * ratio();
  const k = cameras.findIndex(({ box: [l, b, w, h] }) => x >= l && x < l + w && y >= b && y < b + h);
  if (k < 0) return null;
  const { box: [l, b, w, h], scale, pan: p, turn: r } = cameras[k];
  const aim = [(2 * (x - l) / w - 1) / scale[0], (2 * (y - b) / h - 1) / scale[1]];
  const eye = [-p[0], -p[1], 5], to = [aim[0] / 5, aim[1] / 5, -1];
  const back = (v) => [0, 1, 2].map((c) => r[c] * v[0] + r[3 + c] * v[1] + r[6 + c] * v[2]);
  const [ox, oy, oz] = back(eye), [dx, dy, dz] = back(to), { at, faces } = mesh;
  let best = Infinity, hit = null;
  for (let f = 0; f < faces.length; f += 3) {
    const [a, bb, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const ux = at[bb] - at[a], uy = at[bb + 1] - at[a + 1], uz = at[bb + 2] - at[a + 2];
    const vx = at[c] - at[a], vy = at[c + 1] - at[a + 1], vz = at[c + 2] - at[a + 2];
    const px = dy * vz - dz * vy, py = dz * vx - dx * vz, pz = dx * vy - dy * vx, det = ux * px + uy * py + uz * pz;
    if (Math.abs(det) < 1e-14) continue;
    const tx = ox - at[a], ty = oy - at[a + 1], tz = oz - at[a + 2], s = (tx * px + ty * py + tz * pz) / det;
    if (s < 0 || s > 1) continue;
    const qx = ty * uz - tz * uy, qy = tz * ux - tx * uz, qz = tx * uy - ty * ux, t = (dx * qx + dy * qy + dz * qz) / det;
    const depth = (vx * qx + vy * qy + vz * qz) / det;
    if (t < 0 || s + t > 1 || depth <= 0 || depth >= best) continue;
    best = depth;
    const corner = s > t ? (s > 1 - s - t ? 1 : 0) : (t > 1 - s - t ? 2 : 0);
    hit = { face: f / 3, vertex: faces[f + corner] };
  }
  return hit;
}

let waiting = null;
function hover(event) {
  if (waiting || state.spin || !cameras.length || event.pointerType === "touch" || mesh.numFaces > 300000) return;
  waiting = requestAnimationFrame(() => {
    waiting = null;
    const hit = pick(event), tip = $("tip");
    tip.hidden = !hit || pointers.size > 0 || mesh.panels[0].kind === "colors";
    if (tip.hidden) return;
    const i = mesh.raw.site === "face" ? hit.face : hit.vertex, words = [];
    words.push(mesh.raw.site === "face" || !(mesh.prediction || mesh.truth) ? `face ${hit.face}` : `vertex ${hit.vertex}`);
    if (mesh.prediction) words.push(`predicted ${className(mesh.prediction[i])}`);
    if (mesh.truth) words.push(`true ${className(mesh.truth[i])}`);
    for (const field of shownFields()) {
      const value = valueOf(field, field.onFaces ? hit.face : hit.vertex);
      words.push(`${field.name} ${Number.isNaN(value) ? "undefined" : `${rounded(value, 4)} ${field.unit}`.trim()}`);
    }
    tip.textContent = words.join(" · ");
    const area = stage.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
    tip.style.left = `${Math.min(x + 14, area.width - tip.offsetWidth - 6)}px`;
    tip.style.top = `${Math.max(4, y - 34)}px`;
  });
}

const KEYS = { s: "smooth", w: "wire", f: "frames", a: "arrows", l: "streaks", p: "play", " ": "spin", d: "theme", u: "up", 0: "home" };
const MOVES = { ArrowLeft: () => orbit(12, 0), ArrowRight: () => orbit(-12, 0), ArrowUp: () => orbit(0, 12), ArrowDown: () => orbit(0, -12),
  "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), "[": () => show(state.mesh - 1), "]": () => show(state.mesh + 1),
  ",": () => showStep(state.step - 1), ".": () => showStep(state.step + 1) };

function listen() {
  canvas.addEventListener("pointerdown", (event) => {
    touched();
    $("tip").hidden = true;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, move: event.button > 0 });
    canvas.classList.add("held");
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", moved);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => act("home"));
  canvas.addEventListener("wheel", (event) => {
    touched();
    zoom(Math.exp(-0.0015 * event.deltaY * (event.deltaMode ? 20 : 1)));
    event.preventDefault();
  }, { passive: false });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    if (MOVES[event.key]) { touched(); MOVES[event.key](); }
    else if (KEYS[event.key.toLowerCase()]) act(KEYS[event.key.toLowerCase()]);
    else return;
    event.preventDefault();
  });
  for (const name of Object.keys(actions)) $(name).addEventListener("click", () => act(name));
  $("sort").addEventListener("click", () => { state.sorted = !state.sorted; buildList(); show(state.mesh); });
  $("previous").addEventListener("click", () => show(state.mesh - 1));
  $("next").addEventListener("click", () => show(state.mesh + 1));
  $("field").addEventListener("change", (event) => { state.field = event.target.value; show(state.mesh); });
  $("time").addEventListener("input", (event) => { state.playing = false; showStep(+event.target.value); });
  $("slider").addEventListener("input", (event) => show(+event.target.value));
  addEventListener("hashchange", () => { readHash(); refreshTools(); show(state.mesh); });
  new ResizeObserver(resize).observe(stage);
  canvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); renderer = null; });
  canvas.addEventListener("webglcontextrestored", () => { renderer = createRenderer(); show(state.mesh); });
}

function complain(words) {
  $("message").hidden = false;
  $("message").firstElementChild.textContent = words;
  $("hint").hidden = true;
  root.dataset.state = "no-webgl";
}

function start() {
  const many = scene.meshes.length > 1, count = `${scene.meshes.length} ${many ? "meshes" : "mesh"}`;
  $("title").textContent = scene.title;
  $("subtitle").textContent = [scene.subtitle, [count, scene.scores].filter(Boolean).join(": ")].filter(Boolean).join(" · ");
  $("count").textContent = `${scene.meshes.length} meshes`;
  $("aside").hidden = $("steps").hidden = !many;
  document.body.classList.toggle("single", !many);
  $("slider").max = scene.meshes.length - 1;
  readHash();
  buildList();
  refreshTools();
  renderer = createRenderer();
  listen();
  resize();
  show(state.mesh);
  if (!renderer) {
    $("captions").replaceChildren();
    complain("This browser offers no WebGL 2, with which this page draws. Switch on hardware acceleration, or open the page in a "
      + "current Firefox, Chrome, Edge or Safari.");
  }
  requestAnimationFrame(tick);
}
start();
