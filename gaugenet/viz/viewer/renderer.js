function compile(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
  const at = {};
  for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
    const { name } = gl.getActiveUniform(program, i);
    at[name] = gl.getUniformLocation(program, name);
  }
  return { program, at };
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function texture(gl, unit, width, height, bytes, filter, { inner = gl.RGBA8, format = gl.RGBA } = {}) {
  const handle = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, handle);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, format, gl.UNSIGNED_BYTE, bytes);
  for (const p of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, p, filter);
  for (const p of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, p, gl.CLAMP_TO_EDGE);
  return handle;
}

function colorRows(colors, width) {
  const bytes = new Uint8Array(4 * width * Math.ceil(colors.length / width));
  colors.forEach((hex, i) => bytes.set([...rgb(hex), 255], 4 * i));
  return bytes;
}

/** The opacity of a soft shadow: the outline of the mesh seen from above, blurred. */
function shadowTexture(gl, mesh) {
  const size = 128, board = document.createElement("canvas"), half = size / 2 / 1.8;
  board.width = board.height = size;
  const pen = board.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#000";
  const x = (v) => size / 2 + half * mesh.at[3 * v], y = (v) => size / 2 + half * mesh.at[3 * v + 2];
  for (let f = 0; f < 3 * mesh.numFaces; f += 3) {
    const height = (mesh.at[3 * mesh.faces[f] + 1] - mesh.ground) * 2.2;
    if (height > 3) continue;
    pen.globalAlpha = Math.exp(-height);
    pen.beginPath();
    pen.moveTo(x(mesh.faces[f]), y(mesh.faces[f]));
    pen.lineTo(x(mesh.faces[f + 1]), y(mesh.faces[f + 1]));
    pen.lineTo(x(mesh.faces[f + 2]), y(mesh.faces[f + 2]));
    pen.fill();
  }
  const image = pen.getImageData(0, 0, size, size), alpha = Float32Array.from({ length: size * size }, (_, i) => image.data[4 * i + 3]);
  const blur = (field, reach) => [1, size, 1, size, 1, size].reduce((from, step) => {
    const to = new Float32Array(size * size), other = size + 1 - step;
    for (let line = 0; line < size; line++) {
      let sum = 0;
      for (let i = -reach; i < size; i++) {
        if (i + reach < size) sum += from[line * other + (i + reach) * step];
        if (i - reach - 1 >= 0) sum -= from[line * other + (i - reach - 1) * step];
        if (i >= 0) to[line * other + i * step] = sum / (2 * reach + 1);
      }
    }
    return to;
  }, field);
  const narrow = blur(alpha, 1), broad = blur(alpha, 5), bytes = new Uint8Array(4 * size * size);
  for (let i = 0; i < size * size; i++) bytes[4 * i + 3] = Math.min(255, 0.30 * narrow[i] + 0.36 * broad[i]);
  return texture(gl, 2, size, size, bytes, gl.LINEAR);
}

function corners(mesh, values, onFaces, repeat) {
  const out = new Float32Array(3 * mesh.numFaces);
  for (let i = 0; i < out.length; i++) out[i] = repeat(values[onFaces ? Math.floor(i / 3) : mesh.faces[i]]);
  return out;
}

function createRenderer() {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
  if (!gl) return null;
  const surface = compile(gl, SURFACE_VERTEX, SURFACE_FRAGMENT), line = compile(gl, LINE_VERTEX, LINE_FRAGMENT);
  const ground = compile(gl, GROUND_VERTEX, GROUND_FRAGMENT), arrow = compile(gl, ARROW_VERTEX, ARROW_FRAGMENT);
  const colors = [...scene.classes.map((c) => c.color), scene.colors.unlabelled, scene.colors.right, scene.colors.wrong, scene.colors.surface];
  texture(gl, 0, 256, Math.ceil(colors.length / 256), colorRows(colors, 256), gl.NEAREST);
  const ramps = Object.fromEntries(Object.entries(scene.scales).map(([name, scale]) =>
    [name, texture(gl, 1, 64, 1, colorRows(scale.ramp, 64), gl.LINEAR)]));
  gl.vertexAttribI4ui(6, 0, 1, 0, 0);  // of surfaces without stream lines: the default is a float, which nothing draws with
  let mesh = null, held = [], textures = [], frames = null, lines = null, emptyArray = gl.createVertexArray();

  const buffer = (data) => {
    const handle = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, handle);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    held.push(handle);
    return handle;
  };
  const bytesTexture = (values) => {  // rows of 2048
    const rows = Math.ceil(values.length / 2048), padded = new Uint8Array(2048 * rows);
    padded.set(values);
    textures.push(texture(gl, 3, 2048, rows, padded, gl.NEAREST, { inner: gl.R8, format: gl.RED }));
    return textures.at(-1);
  };
  const attribute = (place, size, handle) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, handle);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
  };

  function labelBuffer(panel) {
    const data = new Uint32Array(9 * mesh.numFaces), onFaces = mesh.raw.site === "face";
    for (let f = 0; f < mesh.numFaces; f++) {
      for (let k = 0; k < 9; k++) {
        data[9 * f + k] = !panel.labels ? SURFACE : panel.labels[onFaces ? f : mesh.faces[3 * f + k % 3]];
      }
    }
    return buffer(data);
  }

  function setMesh(next) {
    mesh = next;
    held.forEach((handle) => gl.deleteBuffer(handle));
    textures.forEach((handle) => gl.deleteTexture(handle));
    held = [];
    textures = [shadowTexture(gl, mesh)];
    const at = new Float32Array(9 * mesh.numFaces);
    for (let i = 0; i < 3 * mesh.numFaces; i++) at.set(mesh.at.subarray(3 * mesh.faces[i], 3 * mesh.faces[i] + 3), 3 * i);
    const shared = [buffer(at), buffer(normals(mesh)), buffer(corners(mesh, mesh.openness, false, (v) => v / 255))];
    const own = new Uint8Array(mesh.colors ? 9 * mesh.numFaces : 0);
    for (let i = 0; i < own.length / 3; i++) own.set(mesh.colors.subarray(3 * mesh.faces[i], 3 * mesh.faces[i] + 3), 3 * i);
    for (const panel of mesh.panels) {
      panel.array = gl.createVertexArray();
      gl.bindVertexArray(panel.array);
      attribute(0, 3, shared[0]); attribute(1, 3, shared[1]); attribute(2, 1, shared[2]);
      gl.bindBuffer(gl.ARRAY_BUFFER, labelBuffer(panel));
      gl.enableVertexAttribArray(3);
      gl.vertexAttribIPointer(3, 3, gl.UNSIGNED_INT, 0, 0);
      if (panel.kind === "colors") {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer(own));
        gl.enableVertexAttribArray(4);
        gl.vertexAttribPointer(4, 3, gl.UNSIGNED_BYTE, true, 0, 0);
      }
      if (panel.kind === "field") setField(panel);
    }
    frames = mesh.frames ? lineStrips(frameEnds()) : null;
    lines = mesh.lines ? lineStrips(segmentEnds()) : null;
    setStep();
  }

  /** Buffers of a panel for the values of a field, which a time step fills; its texels, if it has stream lines. */
  function setField(panel) {
    const { arrows, streaks } = panel.field;
    panel.level = buffer(new Float32Array(3 * mesh.numFaces));
    attribute(5, 1, panel.level);
    if (streaks) {
      const texels = new Uint32Array(6 * mesh.numFaces);
      for (let i = 0; i < 3 * mesh.numFaces; i++) texels.set([streaks.starts[Math.floor(i / 3)], streaks.divisions[Math.floor(i / 3)]], 2 * i);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer(texels));
      gl.enableVertexAttribArray(6);
      gl.vertexAttribIPointer(6, 2, gl.UNSIGNED_INT, 0, 0);
      const size = streaks.starts.at(-1);
      panel.streaks = panel.field.times.map((_, k) => bytesTexture(streaks.values.subarray(k * size, (k + 1) * size)));
    }
    if (arrows) {
      panel.darts = buffer(new Float32Array(0));
      panel.arrows = gl.createVertexArray();
      gl.bindVertexArray(panel.arrows);
      attribute(0, 3, panel.darts);
    }
  }

  /** Colors and arrows of the time step that is shown. */
  function setStep() {
    for (const panel of mesh.panels.filter(({ kind }) => kind === "field")) {
      const { field } = panel, step = stepOf(field), levels = field.levels.subarray(step * field.count, (step + 1) * field.count);
      const top = field.missing - 1;
      gl.bindBuffer(gl.ARRAY_BUFFER, panel.level);
      gl.bufferData(gl.ARRAY_BUFFER, corners(mesh, levels, field.onFaces, (v) => (v > top ? 1e6 : v / top)), gl.DYNAMIC_DRAW);
      if (!panel.darts) continue;
      const darts = dartCorners(field, step);
      panel.dartCount = darts.length / 3;
      gl.bindBuffer(gl.ARRAY_BUFFER, panel.darts);
      gl.bufferData(gl.ARRAY_BUFFER, darts, gl.DYNAMIC_DRAW);
    }
    gl.bindVertexArray(null);
  }

  /** Flat arrows a little above the surface, as triangles: the same as those of a PNG. */
  function dartCorners(field, step) {
    const { at, normals: up, directions, sizes, length } = field.arrows, out = new Float32Array(27 * at.length);
    const outline = [[0, 0.045], [0, -0.045], [0.55, 0.045], [0.55, -0.045], [0.5, 0.19], [0.5, -0.19], [1, 0]];
    for (let i = 0; i < at.length; i++) {
      const n = up.subarray(3 * i, 3 * i + 3), along = directions.subarray(3 * (step * at.length + i)).subarray(0, 3);
      const long = length * sizes[step * at.length + i] / 255;
      const across = [n[1] * along[2] - n[2] * along[1], n[2] * along[0] - n[0] * along[2], n[0] * along[1] - n[1] * along[0]];
      const wide = Math.hypot(...across) || 1, raised = 0.06 * length + 0.5 * long * Math.abs(n[0] * along[0] + n[1] * along[1] + n[2] * along[2]);
      [0, 1, 3, 0, 3, 2, 4, 5, 6].forEach((corner, c) => {
        const [x, y] = outline[corner];
        for (let k = 0; k < 3; k++) {
          const place = field.onFaces ? [0, 1, 2].reduce((sum, j) => sum + mesh.at[3 * mesh.faces[3 * at[i] + j] + k] / 3, 0) : mesh.at[3 * at[i] + k];
          out[27 * i + 3 * c + k] = place + raised * n[k] + long * ((x - 0.5) * along[k] + y * across[k] / wide);
        }
      });
    }
    return out;
  }

  function frameEnds() {
    const step = Math.ceil(mesh.numVertices / 8000), vertices = [], ends = [];
    for (let v = 0; v < mesh.numVertices; v += step) vertices.push(v);
    const length = 1.1 / Math.sqrt(vertices.length);
    for (const v of vertices) {
      mesh.frames.forEach((vectors, which) => {
        const p = mesh.at.subarray(3 * v, 3 * v + 3), q = p.map((x, k) => x + length * vectors[3 * v + k]);
        ends.push([p, q, which]);
      });
    }
    return ends;
  }

  function segmentEnds() {
    return Array.from({ length: mesh.lines.length / 6 }, (_, i) => [mesh.lines.subarray(6 * i, 6 * i + 3), mesh.lines.subarray(6 * i + 3, 6 * i + 6), 2]);
  }

  /** Lines of some pixels' width, as two triangles each. */
  function lineStrips(ends) {
    const from = [], to = [], side = [], array = gl.createVertexArray();
    for (const [p, q, which] of ends) {
      for (const [end, s] of [[0, -1], [0, 1], [1, 1], [0, -1], [1, 1], [1, -1]]) {
        from.push(...p); to.push(...q); side.push(end, s, which);
      }
    }
    gl.bindVertexArray(array);
    [from, to, side].forEach((data, k) => attribute(k, 3, buffer(new Float32Array(data))));
    return { array, count: side.length / 3 };
  }

  function view(program, camera) {
    gl.useProgram(program.program);
    gl.uniformMatrix3fv(program.at.turn, true, camera.turn);
    gl.uniform2f(program.at.pan, ...camera.pan);
    gl.uniform2f(program.at.scale, ...camera.scale);
  }

  function draw(state, cameras) {
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    mesh.panels.forEach((panel, k) => {
      const camera = cameras[k], [left, bottom, width, height] = camera.box;
      gl.viewport(left, bottom, width, height);
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(left, bottom, width, height);
      if (camera.pitch > 0.02) {
        gl.disable(gl.DEPTH_TEST); gl.enable(gl.BLEND);
        view(ground, camera);
        gl.uniform1f(ground.at.ground, mesh.ground);
        gl.uniform1f(ground.at.strength, Math.min(1, camera.pitch * 8) * (state.theme === "dark" ? 0.75 : 0.5));
        gl.uniform1i(ground.at.shade, 2);
        gl.bindVertexArray(emptyArray);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
        gl.disable(gl.BLEND);
      }
      gl.enable(gl.DEPTH_TEST);
      view(surface, camera);
      const u = surface.at;
      gl.uniform1i(u.palette, 0); gl.uniform1i(u.ramp, 1);
      gl.uniform1i(u.smoothly, state.smooth); gl.uniform1i(u.wired, state.wire); gl.uniform1i(u.isField, panel.kind === "field");
      gl.uniform1i(u.isPainted, panel.kind === "colors");
      gl.uniform1i(u.streaked, Boolean(panel.streaks && state.streaks)); gl.uniform1i(u.streaks, 3);
      if (panel.kind === "field") { gl.activeTexture(gl.TEXTURE1); gl.bindTexture(gl.TEXTURE_2D, ramps[panel.field.name]); }
      if (panel.streaks) { gl.activeTexture(gl.TEXTURE3); gl.bindTexture(gl.TEXTURE_2D, panel.streaks[stepOf(panel.field)]); }
      gl.uniform1i(u.chosen, panel.kind === "prediction" || panel.kind === "truth" ? state.chosen : -1);
      gl.uniform1ui(u.unlabelled, UNLABELLED);
      gl.uniform3f(u.quiet, ...rgb(scene.colors.surface).map((c) => c / 255));
      gl.bindVertexArray(panel.array);
      gl.drawArrays(gl.TRIANGLES, 0, 3 * mesh.numFaces);
      for (const strips of [lines, state.frames && frames].filter(Boolean)) {
        view(line, camera);
        gl.uniform2f(line.at.pixels, width, height);
        gl.bindVertexArray(strips.array);
        gl.drawArrays(gl.TRIANGLES, 0, strips.count);
      }
      if (panel.arrows && state.arrows) {
        view(arrow, camera);
        gl.bindVertexArray(panel.arrows);
        gl.drawArrays(gl.TRIANGLES, 0, panel.dartCount);
      }
    });
    gl.disable(gl.SCISSOR_TEST);
    gl.bindVertexArray(null);
  }
  return { setMesh, setStep, draw };
}
