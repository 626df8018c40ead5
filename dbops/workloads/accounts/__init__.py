"""Users who log in by e-mail address, and what they may do: roles and the permissions that roles hold."""
