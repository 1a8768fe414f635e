"""Scripts behind every figure about searches; each says in its first lines what it writes."""
