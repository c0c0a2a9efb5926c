"""MXNet's im2rec, faster: lists of pictures, and record files made by them."""
