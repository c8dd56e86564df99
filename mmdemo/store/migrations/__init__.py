"""Alembic's scripts: numbered steps from an empty database to the tables of today, never edited once
released.
"""
