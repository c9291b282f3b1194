"""Files, geometry, the pair list, the cube, splits, the phantom, drawing."""
