"""Changes in several clouds, on record in SQL before each step: below oaktree's creates and the gateway's replicas.

Each side has tables of its own (`tables.make`), reads them as its own objects (`store.Store`), and brings its own requests: to create, to look up, to delete.
"""
