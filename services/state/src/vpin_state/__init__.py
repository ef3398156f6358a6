"""Owner of everything that an account has."""
