// --- the page around it -------------------------------------------------------------------------------------------------
const element = (tag, words, name) => {
  const node = document.createElement(tag);
  if (words !== undefined) node.textContent = words;  // never innerHTML: names come from files
  if (name) node.className = name;
  return node;
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const rounded = (value, digits) => String(Number(value.toPrecision(digits)));
const className = (label) => (label < numClasses ? scene.classes[label].name : "unlabelled");

function buildList() {
  const order = scene.meshes.map((_, i) => i), scored = scene.meshes.some((m) => m.accuracy !== null);
  if (state.sorted) order.sort((a, b) => (scene.meshes[a].accuracy ?? 2) - (scene.meshes[b].accuracy ?? 2));
  $("list").replaceChildren(...order.map((i) => {
    const { name, accuracy, meanIou } = scene.meshes[i], item = element("li"), button = element("button");
    button.dataset.index = i;
    button.title = name;
    const short = name.length > 28 ? `${name.slice(0, 10)}…${name.slice(-16)}` : name;  // endings tell files apart
    button.append(element("span", short, "name"), element("span", accuracy === null ? "" : percent(accuracy), "score"));
    if (meanIou !== null) button.append(element("span", `mean IoU ${percent(meanIou)}`, "score below"));
    if (accuracy !== null) {
      const bar = element("span", undefined, "bar"), fill = element("i");
      fill.style.width = `${100 * accuracy}%`;
      bar.append(fill);
      button.append(bar);
    }
    button.addEventListener("click", () => show(i));
    item.append(button);
    return item;
  }));
  $("sort").hidden = !scored;
  $("sort").setAttribute("aria-pressed", state.sorted);
}

function buildLegend() {
  if (!numClasses || !(mesh.prediction || mesh.truth)) { $("legend").replaceChildren(); return; }
  if (numClasses > 40) { $("legend").replaceChildren(element("p", `${numClasses} classes; point at the mesh to read them.`)); return; }
  const shown = mesh.prediction || mesh.truth, count = new Float64Array(numClasses + 1), of = new Float64Array(numClasses + 1),
    right = new Float64Array(numClasses + 1);
  shown.forEach((label) => { count[label]++; });
  if (mesh.error) mesh.truth.forEach((label, i) => { of[label]++; right[label] += mesh.prediction[i] === label; });
  const keys = [...scene.classes.keys(), ...(count[numClasses] ? [numClasses] : [])];
  $("legend").replaceChildren(...keys.map((k) => {
    const button = element("button"), swatch = element("i");
    swatch.style.background = k < numClasses ? scene.classes[k].color : scene.colors.unlabelled;
    const share = percent(count[k] / shown.length), score = k < numClasses && of[k] ? ` · ${percent(right[k] / of[k])} right` : "";
    button.append(swatch, element("span", className(k)), element("small", share + score));
    button.title = `${share} of the ${mesh.raw.site === "face" ? "faces" : "vertices"}${score}; click to see it alone`;
    button.setAttribute("aria-pressed", state.pinned === k);
    button.addEventListener("pointerenter", () => { state.chosen = k; dirty = true; });
    button.addEventListener("pointerleave", () => { state.chosen = state.pinned; dirty = true; });
    button.addEventListener("click", () => {
      state.pinned = state.chosen = state.pinned === k ? -1 : k;
      [...$("legend").children].forEach((other) => other.setAttribute("aria-pressed", other === button && state.pinned === k));
      dirty = true;
    });
    return button;
  }));
}

function buildCaptions() {
  $("captions").replaceChildren(...mesh.panels.map((panel) => {
    const caption = element("div", undefined, "caption"), note = element("span");
    caption.append(element("b", panel.title), note);
    caption.hidden = panel.kind === "colors";
    if (panel.kind === "error") {
      const { accuracy } = mesh.raw;
      for (const [color, words] of [[scene.colors.right, "right"], [scene.colors.wrong, "wrong"]]) {
        const key = element("span", undefined, "key"), dot = element("i", undefined, "dot");
        dot.style.background = color;
        key.append(dot, accuracy === null ? words : `${words} ${percent(words === "right" ? accuracy : 1 - accuracy)}`);
        note.append(key, " ");
      }
    } else if (panel.kind === "field") {
      const ramp = element("i", undefined, "ramp"), { low, high, ramp: colors } = panel.field.scale;
      ramp.style.background = `linear-gradient(90deg, ${colors.join(", ")})`;
      note.className = "scale";
      note.append(rounded(low, 3), ramp, rounded(high, 3));
    } else if (panel.kind !== "truth" && panel.kind !== "colors") {
      note.append(`${mesh.numFaces.toLocaleString("en")} faces, ${mesh.numVertices.toLocaleString("en")} vertices`);
    }
    return caption;
  }));
}

function placeCaptions() {
  [...$("captions").children].forEach((caption, k) => {
    const [left, bottom, width, height] = cameras[k].box;
    caption.style.left = `${(left + width / 2) / ratio()}px`;
    caption.style.top = `${(canvas.height - bottom - height) / ratio() + 10}px`;
    caption.style.maxWidth = `${width / ratio()}px`;
  });
}

function show(index) {
  state.mesh = (index + scene.meshes.length) % scene.meshes.length;
  mesh = loadMesh(state.mesh, state.up, state.field);
  state.step = Math.min(state.step, numSteps() - 1);
  if (renderer) renderer.setMesh(mesh);
  buildLegend();
  buildCaptions();
  buildFields();
  $("foot").hidden = $("steps").hidden && $("fields").hidden && !$("legend").children.length;
  for (const button of document.querySelectorAll("#list button")) {
    const current = +button.dataset.index === state.mesh;
    button.setAttribute("aria-current", current);
    if (current) button.scrollIntoView({ block: "nearest" });
  }
  $("slider").value = state.mesh;
  $("place").textContent = `${state.mesh + 1} of ${scene.meshes.length}`;
  $("named").textContent = mesh.raw.name;
  $("frames").hidden = !mesh.frames;
  $("arrows").hidden = !mesh.panels.some(({ field }) => field?.arrows);
  $("streaks").hidden = !mesh.panels.some(({ field }) => field?.streaks);
  $("tip").hidden = true;
  dirty = true;
}

/** The fields that are shown now, and how many time steps they have. */
const shownFields = () => mesh.panels.filter(({ kind }) => kind === "field").map(({ field }) => field);
const numSteps = () => Math.max(1, ...shownFields().map((field) => field.times.length));

/** The menu of the fields, and the slider of their time steps. */
function buildFields() {
  const { choices } = mesh, steps = numSteps();
  $("field").replaceChildren(...choices.map(([value, words]) => {
    const option = element("option", words);
    option.value = value;
    return option;
  }));
  $("field").value = mesh.choice ?? "";
  $("chooser").hidden = choices.length < 2;
  $("times").hidden = steps < 2;
  $("fields").hidden = choices.length < 2 && steps < 2;
  $("time").max = steps - 1;
  if (steps < 2) state.playing = false;
  showTime();
}

function showTime() {
  const longest = shownFields().find((field) => field.times.length === numSteps());
  $("time").value = state.step;
  $("when").textContent = longest ? longest.times[state.step] : "";
  $("play").textContent = state.playing ? "❚❚" : "►";
  $("play").setAttribute("aria-pressed", state.playing);
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
}

function showStep(step) {
  state.step = (step + numSteps()) % numSteps();
  if (renderer) renderer.setStep();
  showTime();
  $("tip").hidden = true;
  dirty = true;
}

function refreshTools() {
  for (const key of ["smooth", "wire", "frames", "arrows", "streaks", "spin"]) $(key).setAttribute("aria-pressed", state[key]);
  root.dataset.theme = state.theme;
  $("theme").textContent = state.theme === "dark" ? "Light" : "Dark";
  $("up").textContent = `Up: ${state.up}`;
  dirty = true;
}

const actions = {
  smooth: () => { state.smooth = !state.smooth; }, wire: () => { state.wire = !state.wire; },
  frames: () => { state.frames = !state.frames; }, arrows: () => { state.arrows = !state.arrows; },
  streaks: () => { state.streaks = !state.streaks; },
  play: () => { state.playing = numSteps() > 1 && !state.playing; showTime(); }, spin: () => { state.spin = !state.spin; },
  theme: () => { state.theme = state.theme === "dark" ? "light" : "dark"; },
  home: () => { Object.assign(state, START, { spin: false }); },
  up: () => { const all = Object.keys(UPS); state.up = all[(all.indexOf(state.up) + 1) % all.length]; show(state.mesh); },
};
const act = (name) => { actions[name](); refreshTools(); };
