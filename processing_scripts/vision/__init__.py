"""Boxes, images, RecordIO and metrics as pure functions."""
