"""PostgreSQL: tables, roles and transactions."""
