"""Databases, and the migrations of the tables in them: below every package that keeps tables of its own."""
