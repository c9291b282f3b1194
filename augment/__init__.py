"""Drawing random transform parameters, and applying them."""

from augment.compose import Compose, replay

__all__ = ["Compose", "replay"]
