"""Stand-in for the built-in Object Detection algorithm: SSD on MXNet."""
