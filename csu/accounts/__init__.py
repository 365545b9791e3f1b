"""Persons at the centre: accounts, sessions, and the guard that every route passes."""
