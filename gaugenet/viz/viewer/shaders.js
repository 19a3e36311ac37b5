const VIEW = `
uniform mat3 turn; uniform vec2 pan, scale;
const float D = 5.0, near = 2.0, far = 8.0;  // the eye is five radii away
vec4 project(vec3 p) {
  float w = D - p.z;
  return vec4(scale * D * (p.xy + pan), ((far + near) * w - 2.0 * far * near) / (far - near), w);
}
`;
const SURFACE_VERTEX = `#version 300 es
precision highp float; precision highp int;
layout(location=0) in vec3 at; layout(location=1) in vec3 normal; layout(location=2) in float openness; layout(location=3) in uvec3 labels;
layout(location=4) in vec3 own; layout(location=5) in float level; layout(location=6) in uvec2 texel;
${VIEW}
flat out uvec3 vLabels; flat out uvec2 vTexel; out vec3 vAt, vNormal, vCorner, vOwn; out float vOpen, vLevel;
void main() {
  int corner = gl_VertexID % 3;
  vCorner = vec3(corner == 0, corner == 1, corner == 2);
  vLabels = labels; vTexel = texel; vOpen = openness; vLevel = level; vOwn = own; vNormal = turn * normal; vAt = turn * at;
  gl_Position = project(vAt);
}`;
const SURFACE_FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
flat in uvec3 vLabels; flat in uvec2 vTexel; in vec3 vAt, vNormal, vCorner, vOwn; in float vOpen, vLevel;
uniform sampler2D palette, ramp, streaks; uniform bool smoothly, wired, isField, isPainted, streaked; uniform int chosen; uniform uint unlabelled; uniform vec3 quiet;
out vec4 color;
vec3 linear(vec3 c) { return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c)); }
vec3 display(vec3 c) { c = clamp(c, 0.0, 1.0); return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)); }
vec3 paint(uint label) { return texelFetch(palette, ivec2(int(label) % 256, int(label) / 256), 0).rgb; }
// The texel of stream lines: the small triangle of the face, which is cut into n * n; first texel and n are in vTexel.
float streak() {
  int n = int(vTexel.y), column = clamp(int(vCorner.y * float(n)), 0, n - 1), row = clamp(int(vCorner.z * float(n)), 0, n - 1 - column);
  bool reversed = float(n) * (vCorner.y + vCorner.z) - float(column + row) > 1.0 && column + row < n - 1;
  int index = int(vTexel.x) + n * n - (n - row) * (n - row) + 2 * column + (reversed ? 1 : 0);
  return texelFetch(streaks, ivec2(index % 2048, index / 2048), 0).r;
}
void main() {
  uint label = vCorner.x > vCorner.y ? (vCorner.x > vCorner.z ? vLabels.x : vLabels.z) : (vCorner.y > vCorner.z ? vLabels.y : vLabels.z);
  vec3 base = paint(label);
  if (isPainted) base = vOwn;
  else if (isField) base = vLevel > 1.5 ? paint(unlabelled) : texture(ramp, vec2(clamp(vLevel, 0.0, 1.0) * (63.0 / 64.0) + 0.5 / 64.0, 0.5)).rgb;
  else if (chosen >= 0 && int(label) != chosen) base = mix(base, quiet, 0.88);
  base = linear(base);
  if (streaked) base *= mix(0.35, 1.25, streak());
  vec3 facet = normalize(cross(dFdx(vAt), dFdy(vAt)));
  vec3 n = smoothly ? normalize(vNormal) * (gl_FrontFacing ? 1.0 : -1.0) : facet;
  float open = vOpen;
  float key = clamp((dot(n, normalize(vec3(-0.42, 0.62, 0.66))) + 0.25) / 1.25, 0.0, 1.0) * (0.35 + 0.65 * open);
  float fill = clamp(dot(n, normalize(vec3(0.75, 0.05, 0.55))), 0.0, 1.0), sky = 0.5 + 0.5 * n.y, occlusion = pow(open, 1.3);
  vec3 light = key * vec3(0.88, 0.85, 0.81) + fill * vec3(0.12, 0.14, 0.17) + sky * occlusion * vec3(0.40, 0.42, 0.46) + 0.12 * occlusion;
  vec3 half_ = normalize(normalize(vec3(-0.42, 0.62, 0.66)) + vec3(0, 0, 1));
  float shine = 0.09 * pow(clamp(dot(n, half_), 0.0, 1.0), 28.0);
  float rim = 0.10 * pow(1.0 - clamp(n.z, 0.0, 1.0), 3.0) * clamp(n.y + 0.3, 0.0, 1.0);
  vec3 lit = base * light + (shine + rim) * open;
  if (wired) {
    vec3 near = vCorner / max(fwidth(vCorner), vec3(1e-6));
    float line = 1.0 - smoothstep(0.35, 1.35, min(near.x, min(near.y, near.z)));
    lit = mix(lit, lit * 0.12, 0.75 * line);
  }
  color = vec4(display(lit), 1.0);
}`;
const LINE_VERTEX = `#version 300 es
precision highp float;
layout(location=0) in vec3 from; layout(location=1) in vec3 to; layout(location=2) in vec3 side;  // end (0 or 1), side (-1 or 1), which
${VIEW}
uniform vec2 pixels; out vec3 vColor;  // which: 0 and 1, the vectors of a frame; 2, a line over the surface
void main() {
  vec4 a = project(turn * from), b = project(turn * to), p = side.x < 0.5 ? a : b;
  vec2 along = (b.xy / b.w - a.xy / a.w) * pixels, across = normalize(vec2(-along.y, along.x) + 1e-9);
  p.xy += across * side.y * (side.z < 1.5 ? 2.2 : 1.2) / pixels * p.w;
  p.z -= 0.004 * p.w;
  vColor = side.z < 0.5 ? vec3(0.93, 0.33, 0.16) : side.z < 1.5 ? vec3(0.09, 0.42, 0.80) : vec3(0.09, 0.10, 0.13);
  gl_Position = p;
}`;
const LINE_FRAGMENT = `#version 300 es
precision highp float;
in vec3 vColor; out vec4 color;
void main() { color = vec4(vColor, 1.0); }`;
const ARROW_VERTEX = `#version 300 es
precision highp float;
layout(location=0) in vec3 at;
${VIEW}
void main() { gl_Position = project(turn * at); gl_Position.z -= 0.002 * gl_Position.w; }`;
const ARROW_FRAGMENT = `#version 300 es
precision highp float;
out vec4 color;
void main() { color = vec4(0.09, 0.10, 0.13, 1.0); }`;
const GROUND_VERTEX = `#version 300 es
precision highp float;
${VIEW}
uniform float ground; out vec2 vPlace;
void main() {
  vPlace = vec2(gl_VertexID % 2, gl_VertexID / 2);
  vec2 p = (vPlace * 2.0 - 1.0) * 1.8;
  gl_Position = project(turn * vec3(p.x, ground - 0.012, p.y));
}`;
const GROUND_FRAGMENT = `#version 300 es
precision highp float;
in vec2 vPlace; uniform sampler2D shade; uniform float strength; out vec4 color;
void main() { color = vec4(0, 0, 0, texture(shade, vPlace).a * strength); }`;
