"""Random transforms of a scan: draw parameters, apply them, replay them."""
