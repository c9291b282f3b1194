"""Drawing random transform parameters, and applying them."""

from augment.compose import Compose
from augment.samples import replay

__all__ = ["Compose", "replay"]
