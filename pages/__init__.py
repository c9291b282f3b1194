"""Static pages of HTML that a browser opens from the folder in which they lie."""
