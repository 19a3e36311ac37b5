const $ = (id) => document.getElementById(id);
const root = document.documentElement, canvas = $("canvas"), stage = $("stage");
addEventListener("error", (event) => { root.dataset.error = event.message; });

// --- data -----------------------------------------------------------------------------------------------------------
const scene = JSON.parse($("scene").textContent);
const numClasses = scene.classes.length;
const [UNLABELLED, RIGHT, WRONG, SURFACE] = [0, 1, 2, 3].map((k) => numClasses + k);  // rows of the palette texture
const TYPES = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, uint32: Uint32Array };

function unpack(packed) {
  if (!packed) return null;
  const text = atob(packed.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new TYPES[packed.type](bytes.buffer);
}

const UPS = {  // further rotation (rows right, up, towards the viewer) of the coordinates of the mesh; auto: its own
  auto: null, y: [1, 0, 0, 0, 1, 0, 0, 0, 1], z: [1, 0, 0, 0, 0, 1, 0, -1, 0], x: [0, -1, 0, 1, 0, 0, 0, 0, 1] };

const MOST_ABREAST = 6;

/** What the menu offers, as pairs of value and words: groups such as "wind, truth" and "wind, prediction", fields, all of them.
    A value that ends in a star stands for all names that begin as it does. */
function fieldChoices(names) {
  const groupOf = (name) => name.slice(0, name.lastIndexOf(", ") + 2), groups = [...new Set(names.map(groupOf))].filter(Boolean);
  const abreast = [...groups, ""].filter((start) => {
    const count = names.filter((name) => name.startsWith(start)).length;
    return count > 1 && count <= MOST_ABREAST && (start || groups.length !== 1);
  });
  const choices = abreast.map((start) => [`${start}*`, start ? `${start.slice(0, -2)}: side by side` : "side by side"]);
  const single = names.map((name) => [name, name]);
  return abreast[0] ? [...choices, ...single] : [...single, ...choices];
}

const covers = (choice, name) => (choice.endsWith("*") && name.startsWith(choice.slice(0, -1))) || choice === name;

/** A field with its levels of color; arrows and texels of stream lines where it has them. */
function loadField(raw, mesh, turn, radius) {
  const levels = unpack(raw.levels), scale = scene.scales[raw.name], missing = levels instanceof Uint8Array ? 255 : 65535;
  const field = { ...raw, levels, scale, missing, count: levels.length / raw.times.length, onFaces: raw.site === "face" };
  if (raw.arrows) {
    const at = unpack(raw.arrows.at), turned = (codes) => {
      const out = new Float32Array(codes.length);
      for (let i = 0; i < codes.length / 3; i++) turn(out, i, ...[0, 1, 2].map((k) => codes[3 * i + k] / 127));
      return out;
    };
    field.arrows = { at, normals: turned(unpack(raw.arrows.normals)), directions: turned(unpack(raw.arrows.directions)),
      sizes: unpack(raw.arrows.sizes), length: raw.arrows.length / radius };
  }
  if (raw.streaks) {
    const divisions = unpack(raw.streaks.divisions), starts = new Uint32Array(divisions.length + 1);
    divisions.forEach((n, f) => { starts[f + 1] = starts[f] + n * n; });
    field.streaks = { divisions, starts, values: unpack(raw.streaks.values) };
  }
  return field;
}

const stepOf = (field) => Math.min(state.step, field.times.length - 1);

/** The value of a field at a vertex or face in the time step that is shown; NaN where it is missing. */
function valueOf(field, index) {
  const level = field.levels[stepOf(field) * field.count + index], { low, high } = field.scale;
  return level === field.missing ? NaN : low + (high - low) * level / (field.missing - 1);
}

/** A mesh in view coordinates (y up, centred, of radius 1), with everything that is drawn on it. */
function loadMesh(index, up, chosen) {
  const raw = scene.meshes[index], grid = unpack(raw.vertices), faces = unpack(raw.faces), base = UPS[up] || raw.base;
  const count = grid.length / 3, at = new Float32Array(grid.length);
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  const turn = (out, i, x, y, z) => {
    for (let r = 0; r < 3; r++) out[3 * i + r] = base[3 * r] * x + base[3 * r + 1] * y + base[3 * r + 2] * z;
  };
  const s = raw.extent.map((e) => e / 65535);
  for (let i = 0; i < count; i++) {
    turn(at, i, grid[3 * i] * s[0], grid[3 * i + 1] * s[1], grid[3 * i + 2] * s[2]);
    for (let r = 0; r < 3; r++) { low[r] = Math.min(low[r], at[3 * i + r]); high[r] = Math.max(high[r], at[3 * i + r]); }
  }
  let radius = 0, wide = 0;
  for (let i = 0; i < count; i++) {
    for (let r = 0; r < 3; r++) at[3 * i + r] -= (low[r] + high[r]) / 2;
    radius = Math.max(radius, Math.hypot(at[3 * i], at[3 * i + 1], at[3 * i + 2]));
    wide = Math.max(wide, Math.hypot(at[3 * i], at[3 * i + 2]));
  }
  radius = radius || 1;
  for (let i = 0; i < at.length; i++) at[i] /= radius;
  const mesh = { raw, at, faces, numFaces: faces.length / 3, numVertices: count, wide: wide / radius,
    tall: (high[1] - low[1]) / 2 / radius, ground: (low[1] - high[1]) / 2 / radius, openness: unpack(raw.openness),
    prediction: unpack(raw.prediction), truth: unpack(raw.truth), colors: unpack(raw.colors) };
  if (mesh.prediction && mesh.truth) {
    mesh.error = new Uint32Array(mesh.truth.length);
    mesh.error.forEach((_, i) => { mesh.error[i] = mesh.truth[i] === numClasses ? UNLABELLED
      : mesh.truth[i] === mesh.prediction[i] ? RIGHT : WRONG; });
  }
  const frames = unpack(raw.frames);
  if (frames) {  // (V, 3, 2): two columns
    mesh.frames = [0, 1].map((c) => {
      const vectors = new Float32Array(3 * count);
      for (let i = 0; i < count; i++) turn(vectors, i, ...[0, 1, 2].map((k) => frames[6 * i + 2 * k + c] / 127));
      return vectors;
    });
  }
  const boxed = unpack(raw.lines);
  if (boxed) {  // ends of segments, in the box of the mesh
    mesh.lines = new Float32Array(boxed.length);
    for (let i = 0; i < boxed.length / 3; i++) turn(mesh.lines, i, ...[0, 1, 2].map((k) => (boxed[3 * i + k] / 32767 + 0.5) * raw.extent[k]));
    mesh.lines.forEach((value, i) => { mesh.lines[i] = (value - (low[i % 3] + high[i % 3]) / 2) / radius; });
  }
  mesh.fields = raw.fields.map((field) => loadField(field, mesh, turn, radius));
  mesh.panels = [];
  if (mesh.prediction) mesh.panels.push({ kind: "prediction", title: "Prediction", labels: mesh.prediction });
  if (mesh.truth) mesh.panels.push({ kind: "truth", title: "Truth", labels: mesh.truth });
  if (mesh.error) mesh.panels.push({ kind: "error", title: "Error", labels: mesh.error });
  mesh.choices = fieldChoices(mesh.fields.map((field) => field.name));
  mesh.choice = mesh.choices.some(([value]) => value === chosen) ? chosen : mesh.choices[0]?.[0];
  for (const field of mesh.fields.filter(({ name }) => covers(mesh.choice, name))) mesh.panels.push({ kind: "field", title: field.label, field });
  if (mesh.colors) mesh.panels.push({ kind: "colors", title: "" });
  if (!mesh.panels.length) mesh.panels.push({ kind: "surface", title: "" });
  return mesh;
}

/** Unit normals at the corners: the mean over the faces around the vertex that bend by less than 60 degrees. */
function normals(mesh) {
  const { at, faces, numFaces, numVertices } = mesh, flat = new Float32Array(3 * numFaces), weight = new Float32Array(3 * numFaces);
  for (let f = 0; f < numFaces; f++) {
    const [a, b, c] = [3 * faces[3 * f], 3 * faces[3 * f + 1], 3 * faces[3 * f + 2]];
    const u = [0, 1, 2].map((k) => at[b + k] - at[a + k]), v = [0, 1, 2].map((k) => at[c + k] - at[a + k]);
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]], size = Math.hypot(...n);
    for (let k = 0; k < 3; k++) flat[3 * f + k] = size ? n[k] / size : 0;
    const w = [0, 1, 2].map((k) => v[k] - u[k]), l = [Math.hypot(...u), Math.hypot(...w), Math.hypot(...v)];
    // Sine of each corner's angle: double area over the product of its two sides.
    [[0, 2], [0, 1], [1, 2]].forEach(([p, q], k) => { weight[3 * f + k] = l[p] * l[q] ? size / (l[p] * l[q]) : 0; });
  }
  const start = new Uint32Array(numVertices + 2), around = new Uint32Array(3 * numFaces);
  for (let i = 0; i < 3 * numFaces; i++) start[faces[i] + 2]++;
  for (let i = 2; i < start.length; i++) start[i] += start[i - 1];
  for (let i = 0; i < 3 * numFaces; i++) around[start[faces[i] + 1]++] = i;
  const smooth = new Float32Array(9 * numFaces);
  for (let i = 0; i < 3 * numFaces; i++) {
    const f = 3 * Math.floor(i / 3), vertex = faces[i];
    let [x, y, z] = [0, 0, 0];
    for (let j = start[vertex]; j < start[vertex + 1]; j++) {
      const g = 3 * Math.floor(around[j] / 3), w = weight[around[j]];
      if (g === f || flat[f] * flat[g] + flat[f + 1] * flat[g + 1] + flat[f + 2] * flat[g + 2] > 0.5) {
        x += w * flat[g]; y += w * flat[g + 1]; z += w * flat[g + 2];
      }
    }
    const size = Math.hypot(x, y, z);
    smooth.set(size ? [x / size, y / size, z / size] : flat.subarray(f, f + 3), 3 * i);
  }
  return smooth;
}

// --- WebGL ----------------------------------------------------------------------------------------------------------
