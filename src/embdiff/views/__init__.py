"""What people see: one payload of plain values, and what is rendered from it."""
