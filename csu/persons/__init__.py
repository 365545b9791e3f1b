"""Persons: accounts, habilitations and their history, agréments, leavers, yearly reviews."""
