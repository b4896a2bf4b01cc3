"""Servers, images, networks and volumes of all clouds."""
