"""Stand-in for the built-in Image Classification: residual networks on MXNet."""
