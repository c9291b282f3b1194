"""How earlier versions trained, before there was an option for it."""

EARLIER = {"contrast_curves": 0.0, "spine_share": 0.8, "small_patches": 0.0}
