"""Tasks on meshes: training, scores, prediction and pictures."""
