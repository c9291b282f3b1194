"""Drawing random transform parameters, and applying them."""
