"""Networks, losses, batches from a cube, the training loop, tiled prediction."""
