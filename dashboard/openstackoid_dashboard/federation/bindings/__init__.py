"""Regions of this cloud's catalog that are virtual regions of other clouds."""
