"""What runs inside the processing image."""
