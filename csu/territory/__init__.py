"""Communes, conventions, authorisations, persons: the facts that decide, and their suspension."""
