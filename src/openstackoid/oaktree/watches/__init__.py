"""Watches: polls clouds for changes of resources and delivers the changes to all watchers."""
