"""Panels of OpenStackoïd for Horizon."""
