"""Uploads of images to clouds."""
