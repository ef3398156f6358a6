"""HTTP pin APIs."""
