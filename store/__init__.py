"""PostgreSQL: the rows, and the transactions that change them."""
