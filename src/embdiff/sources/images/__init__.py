"""Models of images: neural networks, and features that are computed by a rule."""
